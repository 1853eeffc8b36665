//! Replies to commands: reactions, and one comment that is edited in place.

use crate::plan::action::{Action, BODY_LIMIT, Planned, Precondition};
use crate::plan::marker::{self, ReplyState, VERSION, digest};
use crate::plan::snapshot::BotComment;
use crate::render::message::reply::PART;

/// The thread and the comment that is replied to, and who replies.
#[derive(Clone, Debug)]
pub struct ReplyTarget {
    /// Number of the thread.
    pub on: u64,
    /// Id of the comment.
    pub remark: u64,
    /// The job that replies, as no other is called.
    pub by: String,
}

/// The key of the reply to a comment: there is one reply, however often its event comes.
#[must_use]
pub fn key(remark: u64) -> String {
    format!("command {remark}")
}

/// A reply in which the parts of a later one take the places of those that were `open`, and
/// behind which stands what was `written`. Everything else stays as it was said, but the
/// first line, which is the later one's.
#[must_use]
pub fn merged(there: &str, later: &str, open: &[usize], written: &str) -> String {
    let (_, old) = parts(there);
    let (first, new) = parts(later);
    let mut out = first.to_owned();
    for (name, text) in old {
        if name == "end" {
            out.push_str(written);
        }
        let own = new.iter().find(|(other, _)| *other == name).filter(|_| open.iter().any(|at| at.to_string() == name));
        out.push_str(own.map_or(text, |(_, text)| text));
    }
    if out.len() > BODY_LIMIT { later.to_owned() } else { out }
}

/// What stands before the first part, and the parts by their names, each with its mark.
fn parts(body: &str) -> (&str, Vec<(&str, &str)>) {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        let name = line.trim_end().strip_prefix(PART).and_then(|rest| rest.strip_suffix(" -->"));
        starts.extend(name.map(|name| (at, name)));
        at += line.len();
    }
    let first = starts.first().map_or(body.len(), |(at, _)| *at);
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([body.len()]);
    (&body[..first], starts.iter().zip(ends).map(|((from, name), to)| (*name, &body[*from..to])).collect())
}

/// Reacts to the comment.
#[must_use]
pub fn react(to: &ReplyTarget, content: &str, guards: Vec<Precondition>) -> Planned {
    Planned {
        id: format!("react:{}:{content}", to.remark),
        action: Action::React { on: to.on, comment: to.remark, content: content.to_owned() },
        because: format!("comment {} holds a command", to.remark),
        title: format!("react with {content}"),
        target: format!("comment {}", to.remark),
        guards,
        receipt: None,
    }
}

/// Writes the reply, or brings the one that is there up to date.
#[must_use]
pub fn reply(
    to: &ReplyTarget,
    text: &str,
    is_working: bool,
    there: Option<&BotComment>,
    mut guards: Vec<Precondition>,
) -> Planned {
    let key = key(to.remark);
    let state = ReplyState { v: VERSION, key: key.clone(), by: to.by.clone(), is_working };
    let body = format!("{}\n{text}", marker::write(marker::REPLY, &state));
    guards.push(match there {
        None => Precondition::NoComment { on: to.on, key: key.clone() },
        Some(there) => {
            Precondition::CommentIs { on: to.on, id: there.id, key: key.clone(), digest: digest(&there.body) }
        }
    });
    Planned {
        id: format!("reply:{}", to.remark),
        action: Action::Comment { on: to.on, key, edit: there.map(|there| there.id), body },
        because: format!("comment {} holds a command", to.remark),
        title: "answer the command".to_owned(),
        target: format!("thread {}", to.on),
        guards,
        receipt: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_parts_are_replaced() {
        let mark = |name: &str| format!("{PART}{name} -->\n");
        let body = |first: &str, all: &[(&str, &str)]| {
            all.iter().fold(format!("{first}\n"), |out, (name, text)| format!("{out}{}{text}\n", mark(name)))
        };
        let there = body("working", &[("0", "told"), ("1", "open"), ("2", "refused"), ("end", "by ann")]);
        let later = body("done", &[("1", "healed"), ("9", "made up"), ("end", "by mallory")]);
        let expected = body("done", &[("0", "told"), ("1", "healed"), ("2", "refused"), ("end", "by ann")]);
        assert_eq!(merged(&there, &later, &[1], ""), expected);
        assert_eq!(merged("", &later, &[1], "x"), "done\n");
        assert!(
            merged(&there, &later, &[], "\n- pushed\n").contains("refused\n\n- pushed\n<!-- testmedic:part end -->")
        );
        let long = body("done", &[("1", &"x".repeat(BODY_LIMIT))]);
        assert_eq!(merged(&there, &long, &[1], ""), long);
    }
}
