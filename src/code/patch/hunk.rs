//! Parses hunks and applies them to a text.

use super::{Lines, PatchError};

/// The marker after the last line of a file that does not end in a newline.
const NO_END: &str = "\\ No newline at end of file";

/// A hunk.
#[derive(Clone, Debug)]
pub(super) struct Hunk {
    old: LineRange,
    new: LineRange,
    /// The old lines, with line ends.
    before: String,
    /// The new lines, with line ends.
    after: String,
    /// Whether the last line is a context line.
    ends_in_context: bool,
}

/// The first line (from 1) and the number of lines. For an empty range git states the line before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LineRange {
    first: usize,
    count: usize,
}

impl LineRange {
    /// Parses `12,3`, or `12` for one line.
    fn parse(text: &str) -> Option<Self> {
        let (first, count) = text.split_once(',').unwrap_or((text, "1"));
        let number =
            |t: &str| (!t.is_empty() && t.len() < 8 && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse().ok());
        Some(Self { first: number(first)??, count: number(count)?? })
    }

    /// Returns the number of lines before the range.
    fn skipped(self) -> Option<usize> {
        if self.count == 0 { Some(self.first) } else { self.first.checked_sub(1) }
    }
}

impl Hunk {
    /// Parses the hunk at the current line. `last` is the previous hunk of the file.
    pub(super) fn parse(lines: &mut Lines<'_>, path: &str, last: Option<&Self>) -> Result<Self, PatchError> {
        let spans = lines.peek().and_then(header);
        let Some((old, new)) = spans else { return Err(lines.reject(path, "this is not the head of a hunk")) };
        let (Some(old_start), Some(new_start)) = (old.skipped(), new.skipped()) else {
            return Err(lines.reject(path, "lines are counted from 1"));
        };
        let (old_end, new_end) = last.map_or((0, 0), Self::ends);
        // The unchanged lines between two hunks have the same number on both sides.
        if old_start < old_end || new_start.checked_sub(new_end) != old_start.checked_sub(old_end) {
            return Err(lines.reject(path, "the line numbers of its hunks do not follow from each other"));
        }
        lines.at += 1;
        let mut hunk = Self { old, new, before: String::new(), after: String::new(), ends_in_context: false };
        hunk.body(lines, path)?;
        if hunk.before == hunk.after {
            return Err(lines.reject(path, "a hunk changes nothing"));
        }
        Ok(hunk)
    }

    /// Returns the line numbers of both files at the end of the hunk.
    fn ends(&self) -> (usize, usize) {
        let end = |span: LineRange| span.skipped().unwrap_or(0) + span.count;
        (end(self.old), end(self.new))
    }

    fn body(&mut self, lines: &mut Lines<'_>, path: &str) -> Result<(), PatchError> {
        let (mut olds, mut news) = (0, 0);
        while olds < self.old.count || news < self.new.count {
            let Some(line) = lines.peek() else { return Err(lines.reject(path, "the patch ends within a hunk")) };
            let mut characters = line.chars();
            let (is_old, is_new) = match characters.next() {
                // Some programs remove the space of an empty context line.
                Some(' ') | None => (true, true),
                Some('-') => (true, false),
                Some('+') => (false, true),
                _ => return Err(lines.reject(path, "this line of a hunk begins with neither ` `, `-` nor `+`")),
            };
            for (is_there, side) in [(is_old, &self.before), (is_new, &self.after)] {
                if is_there && !side.is_empty() && !side.ends_with('\n') {
                    return Err(lines.reject(path, "a line follows after the end of the file"));
                }
            }
            lines.at += 1;
            let ends = lines.peek() != Some(NO_END);
            let text = characters.as_str();
            for (is_there, side) in [(is_old, &mut self.before), (is_new, &mut self.after)] {
                if is_there {
                    side.push_str(text);
                    side.push_str(if ends { "\n" } else { "" });
                }
            }
            (olds, news) = (olds + usize::from(is_old), news + usize::from(is_new));
            self.ends_in_context = is_old && is_new;
            if !ends {
                lines.at += 1;
            } else if lines.next_is("\\") {
                return Err(lines.reject(path, "this line of a hunk begins with neither ` `, `-` nor `+`"));
            }
            if olds > self.old.count || news > self.new.count {
                return Err(lines.reject(path, "a hunk has more lines than its head says"));
            }
        }
        Ok(())
    }
}

/// Parses both ranges of `@@ -1,2 +1,3 @@ …`.
fn header(line: &str) -> Option<(LineRange, LineRange)> {
    let (spans, _) = line.strip_prefix("@@ -").filter(|line| !line.contains('\r'))?.split_once(" @@")?;
    let (old, new) = spans.split_once(" +")?;
    Some((LineRange::parse(old)?, LineRange::parse(new)?))
}

/// Applies hunks at their stated lines. Returns `None` if one does not match there.
pub(super) fn apply(hunks: &[Hunk], text: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut out = String::new();
    let mut at = 0;
    for hunk in hunks {
        let start = hunk.old.skipped()?;
        let end = start + hunk.old.count;
        if lines.get(start..end)?.concat() != hunk.before {
            return None;
        }
        // Like `git apply`: a hunk without trailing context must end at the end of the file.
        let cut = !hunk.after.is_empty() && !hunk.after.ends_with('\n');
        if (!hunk.ends_in_context || cut) && end != lines.len() {
            return None;
        }
        out.push_str(&lines.get(at..start)?.concat());
        out.push_str(&hunk.after);
        at = end;
    }
    out.push_str(&lines.get(at..)?.concat());
    Some(out)
}
