//! What the generator did, for a terminal.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};

use crate::agent::generator::{Dropped, Generated, Made};
use crate::render::terminal::line;
use crate::report::plural;
use crate::report::terminal::{Look, Page};

/// Drafts that became no test, of which it is told why.
const TOLD: usize = 40;

/// The report. `asked` tells for how many endpoints of how many a test shows how they
/// are asked; `applied` whether the files were written.
#[must_use]
pub fn render(done: &Generated, notes: &[String], asked: (usize, usize), applied: bool, look: Look) -> String {
    let mut page = Page { text: String::new(), look };
    let kills: usize = done.made.iter().map(Made::kills).sum();
    let head = format!(
        "{} written for {}: {} killed; {} not written",
        plural(done.made.len() as u64, "test"),
        plural(asked.1 as u64, "endpoint"),
        plural(kills as u64, "mutant"),
        plural(done.dropped.len() as u64, "draft"),
    );
    page.text.push_str(&format!("{}\n", page.paint(Style::new().bold(), &head)));
    if asked.0 < asked.1 {
        let silent = plural((asked.1 - asked.0) as u64, "endpoint");
        page.row("note", &format!("of {silent} no test shows in its own source how it is asked"));
    }
    let mut by_endpoint: BTreeMap<String, Vec<&Made>> = BTreeMap::new();
    for made in &done.made {
        by_endpoint.entry(made.draft.endpoint.to_string()).or_default().push(made);
    }
    for (endpoint, all) in by_endpoint {
        let shown = page.paint(Style::new().bold().fg_color(Some(AnsiColor::Green.into())), "WRITTEN");
        page.text.push_str(&format!("\n{shown}  {}  {}\n", line(&endpoint, 120), line(&all[0].file, 160)));
        for made in all {
            page.made(made);
        }
    }
    page.dropped(done);
    for left in &done.left {
        page.row("left", &line(&format!("{left}: a person changed or deleted it"), 300));
    }
    for note in notes {
        page.row("note", &line(note, 400));
    }
    if !applied && !done.files.is_empty() {
        page.row("next", "--apply puts the tests into the repository, --patch FILE writes them as a diff");
    }
    page.text
}

impl Page {
    fn made(&mut self, made: &Made) {
        let (in_order, shuffled, alone) = made.passes;
        self.row("test", &line(&made.name, 200));
        self.row("why", &line(&made.draft.because, 300));
        let survivors: Vec<String> = made.mutants.iter().filter(|(_, n)| !n).map(|(m, _)| m.to_string()).collect();
        let unnoticed =
            if survivors.is_empty() { String::new() } else { format!("; not noticed: {}", survivors.join(", ")) };
        self.row(
            "proof",
            &line(
                &format!(
                    "passed {in_order} in order, {shuffled} shuffled, {alone} alone; killed {} of {}{unnoticed}",
                    made.kills(),
                    plural(made.mutants.len() as u64, "mutant")
                ),
                400,
            ),
        );
    }

    fn dropped(&mut self, done: &Generated) {
        let wrong = done.dropped.iter().filter(|(_, why)| matches!(why, Dropped::Wrong(..)));
        for (draft, why) in wrong {
            if let Dropped::Wrong(_, text) = why {
                let head = self.paint(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), "DEFECT");
                self.text.push_str(&format!(
                    "\n{head}  {}  {}\n",
                    line(&draft.endpoint.to_string(), 120),
                    draft.recipe
                ));
                self.row("seen", &line(text, 300));
            }
        }
        let others: Vec<String> = done
            .dropped
            .iter()
            .filter_map(|(draft, why)| match why {
                Dropped::Because(why) => Some(format!("{} {}: {why}", draft.endpoint, draft.recipe)),
                Dropped::Wrong(..) => None,
            })
            .collect();
        if !others.is_empty() {
            self.text.push_str("\nnot written\n");
        }
        for text in others.iter().take(TOLD) {
            self.row("", &line(text, 300));
        }
        if others.len() > TOLD {
            self.row("", &format!("and {} more", others.len() - TOLD));
        }
    }
}
