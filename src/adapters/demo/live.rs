//! The second half of the demo: a suite that asks a live service. Its traffic is
//! recorded, a refusal is waited out, an order-dependent pair is named, and a field
//! that is new gets its test. The commands are those that a person would type.

use std::path::Path;

use super::command;
use crate::adapters::files;
use crate::adapters::git::command::GitCommand;
use crate::adapters::system::print;
use crate::error::Problem;

/// The suite.
const FILES: [(&str, &str); 3] = [
    ("service.py", include_str!("../../../fixtures/demo/live/service.py")),
    ("conftest.py", include_str!("../../../fixtures/demo/live/conftest.py")),
    ("tests/test_shop.py", include_str!("../../../fixtures/demo/live/tests/test_shop.py")),
];
/// A test file that comes with the second commit.
const WISHES: (&str, &str) =
    ("tests/test_wishlist.py", include_str!("../../../fixtures/demo/live/tests/test_wishlist.py"));

/// Runs it in `folder`, with a Python that has pytest.
pub(super) fn run(folder: &Path, python: &str) -> Result<(), Problem> {
    print("\nTraffic: a suite that asks a live service, before and after the service grew a field.\n")?;
    for (path, text) in FILES {
        files::write(&folder.join(path), text)?;
    }
    files::write(&folder.join(".gitignore"), ".testmedic\n__pycache__\nbusy\n")?;
    let git = |words: &[&str]| -> bool {
        let call = GitCommand::in_repository(folder).args(&[
            "-c",
            "user.name=testmedic",
            "-c",
            "user.email=testmedic@localhost",
        ]);
        call.args(words).run().is_ok()
    };
    let commit = |message: &str| git(&["add", "--all"]) && git(&["commit", "--quiet", "--message", message]);
    if !git(&["init", "--quiet", "--initial-branch=main", "."]) || !commit("A shop") {
        return print("Not done: git cannot make a repository there.\n");
    }
    let tests = ["--", python, "-m", "pytest", "-q", "-p", "no:cacheprovider"];
    command(folder, &[&["run", "--apply"], &tests[..]].concat())?;
    let grown =
        FILES[0].1.replace("\"ada@example.org\"}", "\"ada@example.org\", \"last_login_at\": \"2026-04-09T07:30:00Z\"}");
    files::write(&folder.join("service.py"), &grown)?;
    files::write(&folder.join(WISHES.0), WISHES.1)?;
    files::write(&folder.join("busy"), "")?;
    commit("Tell when a user last logged in; wishlists");
    command(folder, &[&["run", "--apply"], &tests[..]].concat())?;
    command(folder, &["generate", "--only", "GET /users", "--recipe", "new-field", "--apply"])
}
