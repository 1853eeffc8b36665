//! What API descriptions promise about a part.

use super::ApiContract;
use crate::agent::healer::Part;
use crate::code::openapi::Operation;
use crate::code::value::Value;
use crate::model::heal::EditKind;

/// What a description says about a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContractSays {
    /// It promises the new, and did not before.
    New,
    /// It promises the new, as before.
    Allowed,
    /// It knows the endpoint and not the new.
    Unknown,
    /// It promises the old and not the new.
    Against,
    /// It has nothing to say.
    Silent,
}

pub(super) fn promised(promise: &ApiContract, part: &Part) -> ContractSays {
    let Some(now) = &promise.now else { return ContractSays::Silent };
    let empty = Operation::default();
    let before = promise.before.as_ref().unwrap_or(&empty);
    let judge = |new: bool, was_new: bool, old: bool| match (new, was_new, old) {
        (true, false, _) => ContractSays::New,
        (true, true, _) => ContractSays::Allowed,
        (false, _, true) => ContractSays::Against,
        _ => ContractSays::Unknown,
    };
    let (old, new) = (part.old.as_str(), part.new.as_str());
    match part.kind {
        EditKind::Status => judge(lists(now, new), lists(before, new), lists(now, old)),
        EditKind::RenamedKey => {
            judge(now.response.contains_key(new), before.response.contains_key(new), now.response.contains_key(old))
        }
        EditKind::AddedMember if !now.response.is_empty() => {
            judge(now.response.contains_key(new), before.response.contains_key(new), false)
        }
        EditKind::RemovedMember if !now.response.is_empty() || !before.response.is_empty() => {
            let (is, was) = (now.response.get(old), before.response.contains_key(old));
            match is {
                Some(_) => ContractSays::Against,
                None if was => ContractSays::New,
                None => ContractSays::Silent,
            }
        }
        EditKind::Type => match (now.response.get(&part.field), before.response.get(&part.field)) {
            (Some(now), before) if !now.kind.is_empty() => {
                let is = fits_type(&now.kind, part.came.as_ref());
                judge(is, before.is_some_and(|b| fits_type(&b.kind, part.came.as_ref())), !is)
            }
            _ => ContractSays::Silent,
        },
        EditKind::Payload => {
            let is = now.request.get(new).is_some_and(|f| f.required);
            judge(is, before.request.get(new).is_some_and(|f| f.required), false)
        }
        _ => ContractSays::Silent,
    }
}

fn lists(operation: &Operation, status: &str) -> bool {
    let class = format!("{}XX", &status[..1.min(status.len())]);
    operation.statuses.iter().any(|s| s == status || s.eq_ignore_ascii_case(&class))
}

fn fits_type(kind: &str, came: Option<&Value>) -> bool {
    match came {
        Some(Value::Text(_) | Value::Bare(_)) => kind == "string",
        Some(Value::Number(n)) => kind == "number" || (kind == "integer" && !n.contains('.')),
        Some(Value::Bool(_)) => kind == "boolean",
        Some(Value::List(_)) => kind == "array",
        Some(Value::Map(_)) => kind == "object",
        _ => false,
    }
}
