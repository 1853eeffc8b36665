//! The third part of the demo: a failure of which the rules know nothing, and a model that
//! reads what the test printed. Its answers are a recording; nobody is asked.

use std::path::Path;

use super::command;
use crate::adapters::fixture_repo::{self, Files};
use crate::adapters::system::print;
use crate::error::Problem;

/// The repository.
const FILES: [(&str, &str); 4] = [
    ("directory.py", include_str!("../../../fixtures/demo/thought/directory.py")),
    ("tests/answer.json", include_str!("../../../fixtures/demo/thought/tests/answer.json")),
    ("tests/test_directory.py", include_str!("../../../fixtures/demo/thought/tests/test_directory.py")),
    ("testmedic.toml", include_str!("../../../fixtures/demo/thought/testmedic.toml")),
];
/// What its run left behind: a report of pytest's, and what a model said about it. The
/// model was a scripted one (`UPDATE=1 cargo test --test suite the_demo_thinks`).
const LEFT: [(&str, &str); 2] = [
    ("report.xml", include_str!("../../../fixtures/demo/thought/report.xml")),
    ("model.jsonl", include_str!("../../../fixtures/demo/thought/model.jsonl")),
];

/// Runs it in `folder`.
pub(super) fn run(folder: &Path) -> Result<(), Problem> {
    print(
        "\nA model: what the rules leave undecided is read once more. Its answers are a recording of a scripted model.\n",
    )?;
    let files: Files = FILES.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    if fixture_repo::repository(folder, &fixture_repo::stream(&[("A client of the staff directory", files)])).is_none()
    {
        return print("Not done: git cannot make a repository there.\n");
    }
    for (path, text) in LEFT {
        crate::adapters::files::write(&folder.join(path), text)?;
    }
    let model = ["--model-replay", "model.jsonl", "--transcript", "transcript.jsonl"];
    let policy = ["--config", "testmedic.toml", "--history", "none"];
    command(folder, &[&["triage", "--junit", "report.xml"], &policy[..], &model].concat())?;
    command(folder, &["transcript", "transcript.jsonl"])
}
