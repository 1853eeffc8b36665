//! What must not come into a file: mocks, questions whether a test is running, credentials.

use std::collections::BTreeMap;

use super::{FilePatch, Finding, Pair, PatchRule};
use crate::model::secret::has_token;

/// Words that make a mock.
const MOCKS: &[&str] = &[
    "mock.patch",
    "@patch",
    "patch.object",
    "patch.dict",
    "MagicMock",
    "AsyncMock",
    "Mock(",
    "monkeypatch",
    "mocker.",
    "create_autospec",
    "jest.mock",
    "jest.spyOn",
    "jest.fn",
    "jest.doMock",
    "mockReturnValue",
    "mockResolvedValue",
    "mockImplementation",
    "vi.mock",
    "vi.spyOn",
    "vi.fn",
    "sinon.stub",
    "sinon.mock",
    "sinon.fake",
    "proxyquire",
    "Mockito.mock",
    "Mockito.when",
    "@Mock",
    "@MockBean",
    "@MockitoBean",
    "@Spy",
    "@InjectMocks",
    "mockk",
    "mockkObject",
    "mockStatic",
    "gomock",
    "NewController",
    "allow_any_instance_of",
    "and_return",
    "instance_double",
    "receive_messages",
    "createMock",
    "getMockBuilder",
    "createStub",
    "createConfiguredMock",
    "Mockery::",
    "prophesize",
    "mockall",
    "mock!",
    "responses.add",
    "requests_mock",
    "httpretty",
    "stub_const",
    "rewire(",
    "td.replace",
    "when(",
];

/// Words that ask whether a test or a CI job is running.
const QUESTIONS: &[&str] = &[
    "PYTEST_CURRENT_TEST",
    "sys.modules['pytest']",
    "sys.modules[\"pytest\"]",
    "'pytest' in sys.modules",
    "\"pytest\" in sys.modules",
    "JEST_WORKER_ID",
    "VITEST_WORKER_ID",
    "process.env.CI",
    "process.env.VITEST",
    "process.env.NODE_ENV",
    "environ['CI']",
    "environ[\"CI\"]",
    "environ.get('CI'",
    "environ.get(\"CI\"",
    "getenv('CI'",
    "getenv(\"CI\"",
    "GITHUB_ACTIONS",
    "Getenv(\"CI\")",
    "ENV['CI']",
    "ENV[\"CI\"]",
    "cfg!(test)",
    "testing.Testing()",
    "NEXTEST",
    "PHPUNIT_",
];

pub(super) fn check(file: &FilePatch, pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let old = file.old.as_deref().unwrap_or("");
    let new = file.new.as_deref().unwrap_or("");
    // A new file of tests may bring the doubles that it needs; a test that is
    // repaired may not be given any.
    if pair.old.is_some() {
        for (line, word) in more(old, new, MOCKS) {
            out.push(pair.finding(
                PatchRule::Mocked,
                Some(line),
                format!("`{word}` puts a double in the place of something real"),
            ));
        }
    }
    for (line, word) in more(old, new, QUESTIONS) {
        out.push(pair.finding(PatchRule::SpecialCase, Some(line), format!("`{word}` asks who is running the code")));
    }
    plain(file, out);
}

/// What is refused in any file.
pub(super) fn plain(file: &FilePatch, out: &mut Vec<Finding>) {
    let old: std::collections::HashSet<&str> = file.old.as_deref().unwrap_or("").lines().collect();
    for (at, line) in file.new.as_deref().unwrap_or("").lines().enumerate() {
        if !old.contains(line) && has_token(line) {
            out.push(Finding {
                guard: PatchRule::Secret,
                path: file.path.clone(),
                line: u32::try_from(at + 1).ok(),
                why: "this looks like a credential".to_owned(),
            });
        }
    }
    if file.path.ends_with(".json") {
        let broken = |text: &Option<String>| {
            text.as_deref().is_some_and(|t| serde_json::from_str::<serde_json::Value>(t).is_err())
        };
        if broken(&file.new) && !broken(&file.old) {
            let why = "the file is no valid JSON any more".to_owned();
            out.push(Finding { guard: PatchRule::Syntax, path: file.path.clone(), line: None, why });
        }
    }
}

/// Words that stand more often in the new text, with the line of the last.
fn more<'w>(old: &str, new: &str, words: &[&'w str]) -> Vec<(u32, &'w str)> {
    let count =
        |text: &str| -> BTreeMap<&'w str, usize> { words.iter().map(|w| (*w, occurrences(text, w).count())).collect() };
    let before = count(old);
    let mut found = Vec::new();
    for (word, times) in count(new) {
        if times > before.get(word).copied().unwrap_or(0) {
            let at = occurrences(new, word).last().unwrap_or(0);
            found.push((u32::try_from(new[..at].matches('\n').count() + 1).unwrap_or(u32::MAX), word));
        }
    }
    found
}

/// Where a word stands by itself: `when(` is not in `thenWhen(`.
fn occurrences<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        !word.starts_with(char::is_alphanumeric) || !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}
