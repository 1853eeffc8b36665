//! What the policy says of commands in comments.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::generate::Mode;
use super::{BadPolicy, Policy};
use crate::model::command::{CommandKind, DeliveryMode, Permission};
use crate::model::heal::HealMode;

/// See [`super::Policy::commands`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Commands {
    /// Answer them.
    pub enabled: bool,
    /// What a person needs for a command, by its name without the slash: `read`, `triage`,
    /// `write`, `maintain` or `admin`. Without a word of the policy `explain` and `help`
    /// need `read` and all others `write`; what runs code never needs less than `write`,
    /// and what writes never less than `triage`.
    pub needs: BTreeMap<CommandKind, Permission>,
    /// Commands that the author of a pull request may give on it without that right.
    /// Of those that run code only `retry` can be among them: it runs jobs again that
    /// ran before, with the rights that they had.
    pub author: Vec<CommandKind>,
    /// Numeric ids of bots whose commands are heard like those of people who may write.
    /// A bot's name says nothing: anybody may have one that looks alike.
    pub bots: Vec<u64>,
    /// Days that a quarantine lasts where the command names no end.
    #[schemars(range(min = 1, max = 366))]
    pub quarantine_days: u32,
    /// Days for which a failure is ignored where the command names no end.
    #[schemars(range(min = 1, max = 366))]
    pub ignore_days: u32,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            enabled: true,
            needs: BTreeMap::new(),
            author: vec![CommandKind::Retry, CommandKind::Explain, CommandKind::Help],
            bots: Vec::new(),
            quarantine_days: 14,
            ignore_days: 30,
        }
    }
}

impl Policy {
    /// What a person's command to heal allows beside the policy. A stranger's code is
    /// shown: neither a branch of it nor a suggestion to click on.
    pub fn allow_heal_on_command(&mut self, offer: Option<DeliveryMode>, is_pull: bool, is_foreign: bool) {
        self.review.enabled &= !is_foreign;
        self.heal.mode = match (offer, self.heal.mode) {
            _ if is_foreign => HealMode::Suggest,
            (Some(DeliveryMode::Branch), _) | (None, HealMode::Branch) => HealMode::Branch,
            // On the default branch there is no diff to suggest anything in.
            (None, _) if !is_pull => HealMode::Branch,
            _ => HealMode::Suggest,
        };
    }

    /// What a person's command to write tests allows beside the policy.
    pub fn allow_generate_on_command(&mut self, is_foreign: bool) {
        self.generate.mode = if is_foreign { Mode::Off } else { Mode::Branch };
    }
}

impl Commands {
    /// What a person needs for a command.
    #[must_use]
    pub fn needs(&self, verb: CommandKind) -> Permission {
        self.needs.get(&verb).copied().unwrap_or(verb.needs()).max(verb.floor())
    }

    /// Refuses what would let strangers run code or write.
    pub(super) fn check(&self) -> Result<(), BadPolicy> {
        let low = self.needs.iter().find(|(verb, level)| **level < verb.floor());
        if let Some((verb, level)) = low {
            let (word, level, floor) = (verb.word(), level.word(), verb.floor().word());
            return Err(BadPolicy::Unsafe(format!(
                "`commands.needs.{word}` is `{level}`; it takes at least `{floor}`"
            )));
        }
        let runs = self.author.iter().find(|verb| verb.runs_code());
        runs.map_or(Ok(()), |verb| {
            Err(BadPolicy::Unsafe(format!(
                "`commands.author` holds `{}`, which runs code: an author may be anybody",
                verb.word()
            )))
        })
    }
}
