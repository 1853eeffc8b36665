//! The guards that no patch may break, whoever wrote it.
//!
//! They look at the files before and after, not at what anybody says about
//! them. One finding is enough to refuse the whole patch.

mod banned_tokens;
mod imports;
mod paths;
mod strength;
mod substitution;
mod swallowed;
mod tests_kept;
mod tolerances;

use crate::code::language::Language;
use crate::code::source::Source;

/// One file of a patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePatch {
    /// Its path after the patch; for a file that is deleted, before.
    pub path: String,
    /// Its path before, where it is another.
    pub renamed_from: Option<String>,
    /// Its text before; `None` for a new file.
    pub old: Option<String>,
    /// Its text after; `None` for a deleted file.
    pub new: Option<String>,
    /// What is odd about it: a symbolic link, a submodule, a changed mode, a binary file.
    pub oddity: Option<String>,
}

/// Which guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PatchRule {
    /// The patch is unambiguous and complete, and matches the files.
    Form,
    /// Only paths of tests, and none that steer how tests run.
    Paths,
    /// A bounded number of files and lines.
    Size,
    /// It parses.
    Syntax,
    /// No test is removed, renamed, shadowed, or loses a row of its parameters.
    TestsKept,
    /// Nothing is skipped, expected to fail, or focused on.
    TestsRun,
    /// No assertion is removed or weakened.
    Strength,
    /// No failure is swallowed, and no assertion depends on a new condition.
    Swallowed,
    /// No broader exception, pattern or set of values.
    Broadened,
    /// No wider tolerance, longer time-out, more retries, more waiting.
    Widened,
    /// No new mock.
    Mocked,
    /// No assertion that cannot fail.
    Tautology,
    /// No question whether a test is running.
    SpecialCase,
    /// No credential.
    Secret,
}

impl PatchRule {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 14] = [
        Self::Form,
        Self::Paths,
        Self::Size,
        Self::Syntax,
        Self::TestsKept,
        Self::TestsRun,
        Self::Strength,
        Self::Swallowed,
        Self::Broadened,
        Self::Widened,
        Self::Mocked,
        Self::Tautology,
        Self::SpecialCase,
        Self::Secret,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Paths => "paths",
            Self::Size => "size",
            Self::Syntax => "syntax",
            Self::TestsKept => "tests-kept",
            Self::TestsRun => "tests-run",
            Self::Strength => "strength",
            Self::Swallowed => "swallowed",
            Self::Broadened => "broadened",
            Self::Widened => "widened",
            Self::Mocked => "mocked",
            Self::Tautology => "tautology",
            Self::SpecialCase => "special-case",
            Self::Secret => "secret",
        }
    }
}

/// Why a patch is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Which guard.
    pub guard: PatchRule,
    /// In which file.
    pub path: String,
    /// On which line of the new file (of the old one, where something is gone), from 1.
    pub line: Option<u32>,
    /// What it found.
    pub why: String,
}

/// How large a patch may be, and where it may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Files.
    pub files: usize,
    /// Lines removed plus lines added.
    pub lines: usize,
    /// Further paths that hold tests (globs).
    pub tests: Vec<String>,
    /// Paths that nothing may write to (globs), besides those that steer test runs.
    pub protected: Vec<String>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { files: 10, lines: 200, tests: Vec::new(), protected: Vec::new() }
    }
}

/// Bytes of a file that is checked.
const CHECKED: usize = 512 << 10;

/// A source file before and after.
pub(crate) struct Pair<'p> {
    path: &'p str,
    old: Option<Source>,
    new: Option<Source>,
}

impl Pair<'_> {
    fn finding(&self, guard: PatchRule, line: Option<u32>, why: impl Into<String>) -> Finding {
        Finding { guard, path: self.path.to_owned(), line, why: why.into() }
    }
}

/// What the guards find; empty where the patch may pass.
#[must_use]
pub fn check(files: &[FilePatch], bounds: &Bounds) -> Vec<Finding> {
    let mut out = Vec::new();
    paths::check(files, bounds, &mut out);
    paths::size(files, bounds, &mut out);
    if let Some(file) = files.iter().find(|f| [&f.old, &f.new].into_iter().flatten().any(|t| t.len() > CHECKED)) {
        let why = format!("the file is larger than {} KB: too large to be checked", CHECKED >> 10);
        out.push(Finding { guard: PatchRule::Size, path: file.path.clone(), line: None, why });
        return out;
    }
    for file in files {
        reject_unparsed(file, &mut out);
    }
    let pairs: Vec<Pair<'_>> = files.iter().filter_map(pair).collect();
    for (file, pair) in files.iter().filter_map(|f| Some((f, pair(f)?))) {
        syntax(&pair, &mut out);
        strength::check(&pair, &mut out);
        swallowed::check(&pair, &mut out);
        tolerances::check(&pair, &mut out);
        substitution::check(&pair, &mut out);
        imports::check(&pair, &mut out);
        banned_tokens::check(file, &pair, &mut out);
    }
    for file in files.iter().filter(|f| pair(f).is_none()) {
        banned_tokens::plain(file, &mut out);
    }
    tests_kept::check(&pairs, files, &mut out);
    out.sort();
    out.dedup();
    out
}

/// Rejects files of a known language if the parser exceeds its limit, because they cannot be checked.
fn reject_unparsed(file: &FilePatch, out: &mut Vec<Finding>) {
    let before = file.renamed_from.as_deref().unwrap_or(&file.path);
    for (text, path) in [(&file.old, before), (&file.new, file.path.as_str())] {
        let Some(text) = text else { continue };
        if let Some(language) = Language::of_path(path).filter(|_| Source::parse(path, text).is_none()) {
            let why =
                format!("the {} parser exceeds its step limit on this file, so it cannot be checked", language.name());
            out.push(Finding { guard: PatchRule::Syntax, path: file.path.clone(), line: None, why });
        }
    }
}

fn pair(file: &FilePatch) -> Option<Pair<'_>> {
    let parse = |text: &Option<String>, path: &str| text.as_ref().and_then(|t| Source::parse(path, t));
    let before = file.renamed_from.as_deref().unwrap_or(&file.path);
    let (old, new) = (parse(&file.old, before), parse(&file.new, &file.path));
    (old.is_some() || new.is_some()).then_some(Pair { path: &file.path, old, new })
}

fn syntax(pair: &Pair<'_>, out: &mut Vec<Finding>) {
    let was_fine = pair.old.as_ref().is_none_or(|s| !s.is_broken());
    if let Some(new) = pair.new.as_ref().filter(|s| was_fine && s.is_broken()) {
        let mut line = None;
        crate::code::source::walk(new.root(), |node| {
            if line.is_none() && (node.is_error() || node.is_missing()) {
                line = Some(new.line_of(node.start_byte()));
            }
            line.is_none()
        });
        out.push(pair.finding(
            PatchRule::Syntax,
            line,
            format!("the file is no valid {} any more", new.language.name()),
        ));
    }
}
