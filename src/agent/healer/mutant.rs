//! The mutant of a healed value: where the code before the change cannot be run,
//! the repaired test must fail on another value at least.

use super::Part;
use crate::code::hunks::hunks;
use crate::code::source::Source;

/// The text after the repair with one healed value changed once more; `None`
/// where none of them stands in the lines that the repair wrote, or where the
/// result would not be read as code any more.
#[must_use]
pub fn mutated(path: &str, old: &str, new: &str, parts: &[Part]) -> Option<String> {
    let written: Vec<(u32, String)> = hunks(new, old)?
        .into_iter()
        .flat_map(|h| {
            h.old.into_iter().enumerate().map(move |(at, line)| (h.first + u32::try_from(at).unwrap_or(0), line))
        })
        .collect();
    parts.iter().filter(|part| !part.new.is_empty()).find_map(|part| {
        let other = another(&part.new);
        let (at, line) = written.iter().find(|(_, line)| line.contains(&part.new))?;
        let changed = line.replacen(&part.new, &other, 1);
        let mut lines: Vec<&str> = new.split('\n').collect();
        let place = lines.get_mut(*at as usize - 1)?;
        *place = &changed;
        let text = lines.join("\n");
        reads(path, new, &text).then_some(text)
    })
}

/// Whether a text is read as well as the one it came from.
fn reads(path: &str, before: &str, after: &str) -> bool {
    let broken = |text: &str| Source::parse(path, text).is_some_and(|s| s.is_broken());
    !broken(after) || broken(before)
}

/// Another value of the same kind.
fn another(value: &str) -> String {
    if let Ok(number) = value.parse::<i64>() {
        return number.wrapping_add(1).to_string();
    }
    if let Some(number) = value.parse::<f64>().ok().filter(|n| n.is_finite()) {
        return format!("{:?}", number + 1.0);
    }
    match value {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        "True" => "False".to_owned(),
        "False" => "True".to_owned(),
        // Letters at the end are fine in texts and in names alike.
        other => format!("{other}Zq"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::heal::EditKind;

    fn part(new: &str) -> Part {
        Part { kind: EditKind::Literal, field: String::new(), old: String::new(), new: new.to_owned(), came: None }
    }

    #[test]
    fn one_value_is_changed_once_more() {
        let old = "def test_a():\n    assert status() == 'queued'\n    assert size() == 1\n";
        let table = [
            (old.replace("queued", "pending"), "pending", "    assert status() == 'pendingZq'\n"),
            (old.replace("== 1", "== 7"), "7", "    assert size() == 8\n"),
        ];
        for (new, value, line) in table {
            let text = mutated("tests/test_a.py", old, &new, &[part(value)]).unwrap();
            assert!(text.contains(line), "{text}");
            assert_eq!(text.lines().count(), new.lines().count());
        }
        assert_eq!(mutated("tests/test_a.py", old, &old.replace("queued", "x"), &[part("elsewhere")]), None);
        assert_eq!((another("2.5").as_str(), another("True").as_str()), ("3.5", "False"));
    }
}
