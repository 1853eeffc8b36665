//! What the generator did, for a terminal.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::{AnsiColor, Style};

use crate::agent::generator::{GeneratedTest, GenerationResult, RejectedTest};
use crate::code::style::file::Kept;
use crate::render::curl::{curl, reproducing};
use crate::render::terminal::line;
use crate::report::plural;
use crate::report::terminal::{Page, RenderOptions};

/// Drafts that became no test, of which it is told why.
const TOLD: usize = 40;

/// The report. `asked` endpoints there are, of which no test shows how `silent` ones
/// are asked; `applied` tells whether the files were written.
#[must_use]
pub fn render(
    done: &GenerationResult,
    notes: &[String],
    (asked, silent): (usize, &[String]),
    applied: bool,
    look: RenderOptions,
) -> String {
    let mut page = Page { text: String::new(), look };
    let kills: usize = done.fresh().map(GeneratedTest::kills).sum();
    let unwritten = done.dropped.iter().filter(|(_, why)| matches!(why, RejectedTest::Because(_))).count();
    let endpoints: BTreeSet<String> = done.fresh().map(|made| made.draft.endpoint.to_string()).collect();
    let standing = done.made.iter().filter(|made| made.kept == Kept::Same).count();
    let head = format!(
        "{} {} for {} of {}: {} killed; {}{} not written",
        plural(done.fresh().count() as u64, "test"),
        if applied { "written" } else { "to write" },
        endpoints.len(),
        plural(asked as u64, "endpoint"),
        plural(kills as u64, "mutant"),
        if standing > 0 { format!("{} as they were; ", plural(standing as u64, "test")) } else { String::new() },
        plural(unwritten as u64, "draft"),
    );
    page.text.push_str(&format!("{}\n", page.paint(Style::new().bold(), &head)));
    if !silent.is_empty() {
        let shown = silent.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
        let more = if silent.len() > 6 { format!(" and {} more", silent.len() - 6) } else { String::new() };
        page.row("note", &line(&format!("no test shows in its own source how it asks {shown}{more}"), 600));
    }
    let mut by_endpoint: BTreeMap<String, Vec<&GeneratedTest>> = BTreeMap::new();
    for made in done.fresh() {
        by_endpoint.entry(made.draft.endpoint.to_string()).or_default().push(made);
    }
    for (endpoint, all) in by_endpoint {
        let word = if applied { "WRITTEN" } else { "TO WRITE" };
        let shown = page.paint(Style::new().bold().fg_color(Some(AnsiColor::Green.into())), word);
        page.text.push_str(&format!("\n{shown}  {}  {}\n", line(&endpoint, 120), line(&all[0].file, 160)));
        for made in all {
            page.made(made);
        }
    }
    page.dropped(done);
    for made in &done.made {
        let what = match made.kept {
            Kept::Changed => "changed",
            Kept::Deleted => "deleted",
            Kept::Added | Kept::Renewed | Kept::Same => continue,
        };
        page.row("left", &line(&format!("{}::{}: a person {what} it", made.file, made.name), 300));
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
    fn made(&mut self, made: &GeneratedTest) {
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

    fn dropped(&mut self, done: &GenerationResult) {
        for (draft, exchange, times) in done.defects() {
            let head = self.paint(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), "DEFECT");
            let status = exchange.response.as_ref().map_or(0, |r| r.status);
            let title = format!("{} answers {status}: {}", draft.endpoint, draft.because);
            self.text.push_str(&format!("\n{head}  {}\n", line(&title, 200)));
            self.row("severity", "high: a service must not break, whatever it is asked");
            self.row("seen", &format!("{times} of {times} times"));
            self.row("again", &line(&curl(exchange), 600));
            for (at, text) in reproducing(draft).lines().take(20).enumerate() {
                let lead: String = text.chars().take_while(|c| *c == ' ').collect();
                self.row(if at == 0 { "test" } else { "" }, &format!("{lead}{}", line(text.trim(), 200)));
            }
        }
        for finding in &done.refused {
            let text = format!("{}: {}: {}", finding.path, finding.guard.name(), finding.why);
            self.row("refused", &line(&text, 300));
        }
        let others: Vec<String> = done
            .dropped
            .iter()
            .filter_map(|(draft, why)| match why {
                RejectedTest::Because(why) => {
                    Some(format!("{} {} ({}): {why}", draft.endpoint, draft.recipe, draft.because))
                }
                RejectedTest::Wrong(..) | RejectedTest::Unbroken => None,
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
