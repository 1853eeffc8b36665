//! Options about the model, and `testmedic transcript`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::adapters::files;
use crate::adapters::system::print;
use crate::error::{Problem, exit};
use crate::investigate::model_session::{TranscriptEvent, TranscriptEventKind};
use crate::render::transcript::{self, Shown};

/// How a model thinks along.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelArgs {
    /// Write what the model was shown, what it said and what came of it, a JSON object a line
    #[arg(long, env = "TESTMEDIC_TRANSCRIPT", value_name = "FILE")]
    pub transcript: Option<PathBuf>,
    /// Keep the model's answers, to run the same again without it
    #[arg(long, value_name = "FILE", conflicts_with = "model_replay")]
    pub model_record: Option<PathBuf>,
    /// Take the model's answers from such a file; nobody is asked
    #[arg(long, value_name = "FILE")]
    pub model_replay: Option<PathBuf>,
}

/// Options of `transcript`.
#[derive(Clone, Debug, Args)]
pub struct TranscriptArgs {
    /// The transcript, as --transcript wrote it
    pub file: PathBuf,
}

pub(super) fn transcript(args: &TranscriptArgs) -> Result<u8, Problem> {
    let text = files::read_text(&args.file)?;
    let mut events: Vec<TranscriptEvent> = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let event = serde_json::from_str(line).map_err(|e| {
            Problem::failed(format!("{} is no transcript: line {}", args.file.display(), at + 1)).because(e)
        })?;
        events.push(event);
    }
    let mut present = None;
    // Sessions go on side by side: each is told in one piece.
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        let place = order.len();
        order.entry(event.diagnosis.clone()).or_insert(place);
    }
    events.sort_by_key(|event| order.get(&event.diagnosis).copied());
    for event in &events {
        if present != Some((&event.diagnosis, event.role)) {
            present = Some((&event.diagnosis, event.role));
            print(&transcript::event(Shown::Begin { diagnosis: &event.diagnosis, role: event.role.word() }))?;
        }
        print(&transcript::event(shown(&event.what)))?;
    }
    Ok(exit::DONE)
}

fn shown(what: &TranscriptEventKind) -> Shown<'_> {
    match what {
        TranscriptEventKind::Brief { text } => Shown::Brief(text),
        TranscriptEventKind::Asked { model, again, .. } => Shown::Asked(model, *again),
        TranscriptEventKind::Replied { text, calls, tokens, cost } => {
            Shown::Replied { text, calls, tokens: *tokens, cost: *cost }
        }
        TranscriptEventKind::Looked { source, text } => Shown::Looked { source, text },
        TranscriptEventKind::Opined { verdict, confidence, claims, dropped } => {
            Shown::Opined { verdict, confidence: *confidence, claims, dropped: *dropped }
        }
        TranscriptEventKind::Proposed { diff, claims, dropped } => Shown::Proposed { diff, claims, dropped: *dropped },
        TranscriptEventKind::Objected { why } => Shown::Objected(why),
        TranscriptEventKind::HandedOver { to, because } => Shown::HandedOver { to: to.word(), because },
        TranscriptEventKind::GaveUp { why } => Shown::GaveUp(why),
    }
}
