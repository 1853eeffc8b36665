//! A triage that is done, and how it is shown.

use std::path::Path;

use crate::adapters::system::print;
use crate::adapters::{files, system};
use crate::cli::TriageArgs;
use crate::error::Problem;
use crate::model::forge::RunContext;
use crate::pipeline::TriageResult;
use crate::plan::action::Annotation;
use crate::plan::plan_file::SavedPlan;
use crate::report::json::{Origin, report};
use crate::report::terminal::RenderOptions;
use crate::report::{heal, summary, terminal};

/// A triage that is done.
pub(in crate::cli) struct TriageReport {
    pub triage: TriageResult,
    pub scene: Option<RunContext>,
    /// Notes on lines that no check run shows.
    pub annotations: Vec<Annotation>,
    pub origin: Origin,
    /// Requests that were sent to the forge.
    pub calls: u32,
}

impl TriageReport {
    /// Prints the report and writes the files that were asked for.
    pub(in crate::cli) fn show(&self, args: &TriageArgs, colour: bool) -> Result<(), Problem> {
        if args.json.as_deref() != Some(Path::new("-")) {
            let look = RenderOptions { colour, width: system::width() };
            print(&terminal::render(&self.triage, look))?;
            if !self.triage.repairs.all.is_empty() {
                print(&format!("\n{}", heal::render(&self.triage.repairs.all, &[], look)))?;
            }
        }
        if let Some(path) = &args.json {
            let text = serde_json::to_string_pretty(&report(&self.triage, &self.origin))
                .map_err(|e| Problem::failed("cannot write the report as JSON").because(e))?;
            write_or_say(path, &(text + "\n"))?;
        }
        if let Some(path) = &args.summary {
            write_or_say(path, &summary::render(&self.triage))?;
        }
        if let (Some(path), Some(scene)) = (&args.plan, &self.scene) {
            let text = serde_json::to_string_pretty(&SavedPlan::of(&self.triage.plan, scene))
                .map_err(|e| Problem::failed("cannot write the plan as JSON").because(e))?;
            write_or_say(path, &(text + "\n"))?;
        }
        Ok(())
    }
}

/// `-` is standard output.
fn write_or_say(path: &Path, text: &str) -> Result<(), Problem> {
    if path == Path::new("-") { print(text) } else { files::write(path, text) }
}
