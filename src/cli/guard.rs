//! `testmedic guard`: checks a patch against the guards alone.

use std::io::Read;

use serde_json::json;

use crate::adapters::files;
use crate::adapters::system::print;
use crate::cli::GuardArgs;
use crate::code::guards::{self, Finding, PatchRule};
use crate::code::patch::{self, PatchError};
use crate::error::{Problem, exit};
use crate::render::terminal::line;

pub(super) fn guard(args: &GuardArgs) -> Result<u8, Problem> {
    let text = read(args)?;
    let root = args.repo.canonicalize().map_err(|e| {
        Problem::usage(format!("there is no folder {}", args.repo.display()))
            .because(e)
            .hint("name the repository with --repo")
    })?;
    let policy = super::local_policy(&root, args.config.as_deref())?;
    let (found, files) = match patch::read(&text, &|path| files::held(&root, path)) {
        Ok(files) => (guards::check(&files, &policy.heal.bounds()), Some(files.len())),
        Err(PatchError::NoPatch(why)) => {
            return Err(Problem::usage(format!("{}: {why}", args.file.display()))
                .hint("a unified diff against the files in --repo is wanted"));
        }
        Err(PatchError::Rejected { line, path, why }) => {
            let why = format!("line {line} of the patch: {why}");
            (vec![Finding { guard: PatchRule::Form, path, line: None, why }], None)
        }
    };
    if let Some(path) = &args.json {
        let json = to_json(&found);
        if path.as_os_str() == "-" {
            print(&json)?;
        } else {
            files::write(path, &json)?;
        }
    }
    if args.json.as_ref().is_none_or(|p| p.as_os_str() != "-") {
        print(&told(&found, files))?;
    }
    Ok(if found.is_empty() { exit::DONE } else { exit::TESTS_FAILED })
}

fn read(args: &GuardArgs) -> Result<String, Problem> {
    if args.file.as_os_str() != "-" {
        return files::read_text(&args.file);
    }
    let mut text = String::new();
    let most = patch::LIMIT as u64 + 1;
    std::io::stdin()
        .take(most)
        .read_to_string(&mut text)
        .map_err(|e| Problem::usage("cannot read the patch from standard input").because(e))?;
    Ok(text)
}

/// Formats the findings for the terminal. `files` is the number of files, if the patch was parsed.
fn told(found: &[Finding], files: Option<usize>) -> String {
    let patch = files.map_or_else(
        || "this patch".to_owned(),
        |files| format!("this patch of {}", crate::report::plural(files as u64, "file")),
    );
    if found.is_empty() {
        return format!("no guard objects to {patch}\n");
    }
    let mut out = format!("refused: {} in {patch}\n", crate::report::plural(found.len() as u64, "finding"));
    for finding in found {
        let place = finding.line.map_or_else(String::new, |n| format!(":{n}"));
        let head = format!("  {:<12}  {}{place}", finding.guard.name(), line(&finding.path, 200));
        out.push_str(&format!("{}\n                {}\n", head.trim_end(), line(&finding.why, 400)));
    }
    out
}

fn to_json(found: &[Finding]) -> String {
    let findings: Vec<_> = found
        .iter()
        .map(|f| json!({ "guard": f.guard.name(), "path": f.path, "line": f.line, "why": f.why }))
        .collect();
    let whole = json!({ "schema": "testmedic.guard/1", "admitted": found.is_empty(), "findings": findings });
    format!("{whole:#}\n")
}
