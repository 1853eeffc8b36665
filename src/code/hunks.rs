//! The places where two texts differ, as lines.

/// Lines of the old text that are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// First line of the old text that is replaced, from 1.
    pub first: u32,
    /// Last one; never before `first`.
    pub last: u32,
    /// The lines that are replaced, without line breaks.
    pub old: Vec<String>,
    /// The lines that stand there then.
    pub new: Vec<String>,
}

/// What differs, from top to bottom. Where lines are only added, the line before
/// them (at the top, the line after) belongs to the hunk: something must be there
/// to be replaced. `None` where a text is empty, or where they differ in the
/// kind of line breaks or in the break at the end.
#[must_use]
pub fn hunks(old: &str, new: &str) -> Option<Vec<Hunk>> {
    if old.contains('\r') || new.contains('\r') || old.ends_with('\n') != new.ends_with('\n') {
        return None;
    }
    let lines: Vec<&str> = old.lines().collect();
    let patch = diffy::DiffOptions::new().set_context_len(0).create_patch(old, new);
    patch.hunks().iter().map(|hunk| whole(hunk, &lines)).collect()
}

fn whole(hunk: &diffy::Hunk<'_, str>, lines: &[&str]) -> Option<Hunk> {
    let plain = |text: &str| text.trim_end_matches('\n').to_owned();
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for line in hunk.lines() {
        match line {
            diffy::Line::Delete(text) => old.push(plain(text)),
            diffy::Line::Insert(text) => new.push(plain(text)),
            diffy::Line::Context(text) => {
                old.push(plain(text));
                new.push(plain(text));
            }
        }
    }
    let range = hunk.old_range();
    let mut first = range.start();
    if range.is_empty() {
        // In a diff without context, lines are added after the line that is named.
        let at_top = first == 0;
        first = first.max(1);
        let anchor = (*lines.get(first - 1)?).to_owned();
        new.insert(if at_top { new.len() } else { 0 }, anchor.clone());
        old.push(anchor);
    }
    let first = u32::try_from(first).ok()?;
    let last = first + u32::try_from(old.len()).ok()?.checked_sub(1)?;
    Some(Hunk { first, last, old, new })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(old: &str, hunks: &[Hunk]) -> String {
        let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
        for hunk in hunks.iter().rev() {
            let range = hunk.first as usize - 1..hunk.last as usize;
            assert_eq!(lines[range.clone()], hunk.old);
            lines.splice(range, hunk.new.iter().cloned());
        }
        lines.join("\n") + if old.ends_with('\n') { "\n" } else { "" }
    }

    #[test]
    fn lines_that_are_replaced() {
        let old = "a\nb\nc\nd\n";
        let table: [(&str, &[(u32, u32)]); 6] = [
            ("a\nB\nc\nd\n", &[(2, 2)]),
            ("a\nb\nnew\nc\nd\n", &[(2, 2)]),
            ("new\na\nb\nc\nd\n", &[(1, 1)]),
            ("a\nd\n", &[(2, 3)]),
            ("A\nb\nc\nD\n", &[(1, 1), (4, 4)]),
            ("a\nb\nc\nd\ne\n", &[(4, 4)]),
        ];
        for (new, places) in table {
            let found = hunks(old, new).unwrap();
            assert_eq!(found.iter().map(|h| (h.first, h.last)).collect::<Vec<_>>(), places, "{new}");
            assert_eq!(replayed(old, &found), new);
        }
        assert_eq!(hunks("a\r\n", "b\r\n"), None);
        assert_eq!(hunks("a", "a\n"), None);
        assert_eq!(hunks("", "a"), None);
    }

    proptest::proptest! {
        #[test]
        fn hunks_lead_from_one_to_the_other(old in "([ab]\n){1,8}", new in "([abc]\n){1,8}") {
            let found = hunks(&old, &new).unwrap();
            proptest::prop_assert_eq!(replayed(&old, &found), new);
        }
    }
}
