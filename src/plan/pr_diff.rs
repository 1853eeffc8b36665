//! The diff of a pull request: which files, which lines.

use crate::model::change::FileChange;

/// One changed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// Path after the change.
    pub path: String,
    /// Path before, where it was renamed.
    pub renamed_from: Option<String>,
    /// Ranges of lines of the new side that the diff shows (first, last): those
    /// and no others take review comments. Empty for binary files and for diffs
    /// that GitHub finds too large to show.
    pub shown: Vec<(u32, u32)>,
    /// Lines that are new or changed, of the new side.
    pub added: Vec<u32>,
    /// The same as texts, for rules.
    pub change: FileChange,
}

impl FileDiff {
    /// Reads a patch as GitHub hands it out: hunks without file headers.
    #[must_use]
    pub fn parse(path: &str, renamed_from: Option<&str>, patch: &str) -> Self {
        let mut file = Self {
            path: path.to_owned(),
            renamed_from: renamed_from.map(str::to_owned),
            change: FileChange {
                path: path.to_owned(),
                renamed_from: renamed_from.map(str::to_owned),
                ..FileChange::default()
            },
            ..Self::default()
        };
        let mut line = 0_u32;
        for text in patch.lines() {
            if let Some(start) = hunk_start(text) {
                line = start;
                continue;
            }
            match text.as_bytes().first() {
                Some(b'+') => {
                    file.show(line);
                    file.added.push(line);
                    file.change.added.push(text[1..].to_owned());
                    line = line.saturating_add(1);
                }
                Some(b'-') => file.change.removed.push(text[1..].to_owned()),
                Some(b'\\') => {}
                _ => {
                    file.show(line);
                    line = line.saturating_add(1);
                }
            }
        }
        file
    }

    fn show(&mut self, line: u32) {
        if line == 0 {
            return;
        }
        match self.shown.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(line) => *last = line,
            _ => self.shown.push((line, line)),
        }
    }

    /// Whether a review comment may stand on `line`.
    #[must_use]
    pub fn shows(&self, line: u32) -> bool {
        self.shown.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }
}

/// The first line of the new side in `@@ -a,b +c,d @@`.
fn hunk_start(text: &str) -> Option<u32> {
    let new = text.strip_prefix("@@ -")?.split(' ').nth(1)?.strip_prefix('+')?;
    new.split(',').next()?.parse().ok()
}

/// The file of a diff that a path from a report means: the same, or the only
/// one that ends in it or that it ends in (absolute paths, class files' names).
#[must_use]
pub fn find<'d>(diff: &'d [FileDiff], path: &str) -> Option<&'d FileDiff> {
    let path = path.replace('\\', "/");
    let path = path.trim_start_matches("./");
    if let Some(exact) = diff.iter().find(|file| file.path == path) {
        return Some(exact);
    }
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/'));
    let mut matching = diff.iter().filter(|file| ends(path, &file.path) || ends(&file.path, path));
    let first = matching.next()?;
    matching.next().is_none().then_some(first)
}

/// The file of the repository that a path from a report means, by the same
/// rule; where the files are not known, a relative path stands for itself.
#[must_use]
pub fn resolve(files: &[String], path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let path = path.trim_start_matches("./");
    if files.is_empty() {
        let fine = !path.starts_with('/') && path.contains('/') && !path.contains("..") && !path.contains(':');
        return fine.then(|| path.to_owned());
    }
    if files.iter().any(|file| file == path) {
        return Some(path.to_owned());
    }
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/'));
    // `/w/shop/tests/a.py` ends in `tests/a.py` and in `a.py`: the longest is meant.
    if let Some(file) = files.iter().filter(|file| ends(path, file)).max_by_key(|file| file.len()) {
        return Some(file.clone());
    }
    let mut matching = files.iter().filter(|file| ends(file, path));
    let first = matching.next()?;
    matching.next().is_none().then(|| first.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str =
        "@@ -1,4 +1,5 @@ def total():\n a\n-b\n+B\n+C\n d\n@@ -20 +21,2 @@\n-x\n+y\n\\ No newline at end of file\n+z";

    #[test]
    fn lines_that_take_comments() {
        let file = FileDiff::parse("src/a.py", None, PATCH);
        assert_eq!(file.shown, [(1, 4), (21, 22)]);
        assert_eq!(file.added, [2, 3, 21, 22]);
        assert_eq!((file.change.removed.len(), file.change.added.len()), (2, 4));
        assert!(file.shows(4) && !file.shows(5) && file.shows(22));
        assert!(FileDiff::parse("logo.png", None, "").shown.is_empty());
    }

    #[test]
    fn places_in_the_repository() {
        let files: Vec<String> = ["a.py", "tests/a.py", "src/x/CartTest.java"].map(str::to_owned).to_vec();
        assert_eq!(resolve(&files, "/home/w/shop/tests/a.py").as_deref(), Some("tests/a.py"));
        assert_eq!(resolve(&files, "CartTest.java").as_deref(), Some("src/x/CartTest.java"));
        assert_eq!(resolve(&files, "nowhere.py"), None);
        assert_eq!(resolve(&[], "tests/a.py").as_deref(), Some("tests/a.py"));
        assert_eq!(resolve(&[], "/abs/a.py"), None);
        assert_eq!(resolve(&[], "../../etc/passwd"), None);
    }

    #[test]
    fn paths_of_reports() {
        let diff = [FileDiff::parse("src/a.py", None, ""), FileDiff::parse("lib/a.py", None, "")];
        assert_eq!(find(&diff, "/builds/shop/src/a.py").map(|f| f.path.as_str()), Some("src/a.py"));
        assert_eq!(find(&diff, "./lib/a.py").map(|f| f.path.as_str()), Some("lib/a.py"));
        assert_eq!(find(&diff, "a.py"), None, "two could be meant");
        assert_eq!(find(&diff, "xsrc/a.py"), None);
    }
}
