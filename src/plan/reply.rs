//! Replies to commands: reactions, and one comment that is edited in place.

use crate::plan::action::{Action, Guard, Planned};
use crate::plan::marker::{self, ReplyState, VERSION, digest};
use crate::plan::snapshot::OurComment;

/// The thread and the comment that is replied to, and who replies.
#[derive(Clone, Debug)]
pub struct To {
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

/// Reacts to the comment.
#[must_use]
pub fn react(to: &To, content: &str, guards: Vec<Guard>) -> Planned {
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
pub fn reply(to: &To, text: &str, is_working: bool, there: Option<&OurComment>, mut guards: Vec<Guard>) -> Planned {
    let key = key(to.remark);
    let state = ReplyState { v: VERSION, key: key.clone(), by: to.by.clone(), is_working };
    let body = format!("{}\n{text}", marker::write(marker::REPLY, &state));
    guards.push(match there {
        None => Guard::NoComment { on: to.on, key: key.clone() },
        Some(there) => Guard::CommentIs { on: to.on, id: there.id, key: key.clone(), digest: digest(&there.body) },
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
