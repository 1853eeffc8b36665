//! The values in a message that the test itself formats: `t.Errorf("got %v, want %v", got, want)`.

use regex::Regex;

use crate::code::repr_parser;
use crate::code::value::Value;

/// The printed values of a message, in the order of the holes of its format;
/// `None` where the message does not fit it.
#[must_use]
pub fn values(format: &str, message: &str) -> Option<Vec<Value>> {
    let mut pattern = String::from("(?s)");
    let mut holes = 0;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            pattern.push_str(&regex::escape(&c.to_string()));
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            pattern.push('%');
            continue;
        }
        for flag in chars.by_ref() {
            if flag.is_alphabetic() {
                break;
            }
        }
        holes += 1;
        pattern.push_str("(.+?)");
    }
    // The last value goes to the end of the message.
    pattern.push_str(r"\s*(?:\n|$)");
    if holes == 0 {
        return None;
    }
    let found = Regex::new(&pattern).ok()?;
    // A value may hold a line end; then the whole message is meant.
    let whole = Regex::new(&format!("{}$", pattern.trim_end_matches(r"(?:\n|$)"))).ok()?;
    let captures = whole.captures(message.trim_end()).or_else(|| found.captures(message))?;
    Some((1..=holes).filter_map(|n| captures.get(n)).map(|m| repr_parser::read(m.as_str())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes() {
        let found =
            values("got %#v, want %v", "    a_test.go:3: got map[string]interface {}{\"a\":1}, want map[a:2]").unwrap();
        assert_eq!(found.len(), 2);
        assert!(matches!(&found[0], Value::Map(m) if m.len() == 1));
        assert_eq!(values("status %d", "x: status 201\n").unwrap(), [Value::Number("201".into())]);
        assert_eq!(values("no holes", "no holes"), None);
        assert_eq!(values("100%% of %s", "100% of it").unwrap(), [Value::Bare("it".into())]);
        assert_eq!(values("x %d", "something else"), None);
    }
}
