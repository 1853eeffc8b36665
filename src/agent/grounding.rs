//! Claims and what supports them: a quote counts where it stands word for word in what
//! was shown. What has no such support is dropped, and counted.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::model::chat::Citation;
use crate::model::text::{clean, head};

/// Letters that a quote must have: what is shorter stands anywhere.
const SHORTEST: usize = 8;
/// Letters of a quote, and of what is said about it, that are kept.
const LONGEST: (usize, usize) = (400, 400);
/// Bytes of an answer that are read, and claims of it.
const ANSWER: usize = 64 << 10;
const CLAIMS: usize = 8;

/// What was shown, by its source.
pub type Shown = BTreeMap<String, Vec<String>>;

/// The JSON of an answer, also where it stands in a fence or among words.
///
/// # Errors
/// What is wrong with it, for the one who wrote it.
pub fn json_in<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = head(text, ANSWER);
    let begin = text.find('{').ok_or("it has no `{`")?;
    let end = text.rfind('}').filter(|end| *end > begin).ok_or("it has no `}`")?;
    serde_json::from_str(&text[begin..=end]).map_err(|e| e.to_string())
}

/// The form of a claim, as a JSON Schema.
#[must_use]
pub fn claim_schema() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["source", "quote", "says"],
        "properties": {"source": text(), "quote": text(), "says": text()},
    })
}

/// Parts claims from those that nothing supports; gives how many these are.
#[must_use]
pub fn supported(claims: Vec<Citation>, shown: &Shown) -> (Vec<Citation>, usize) {
    let count = claims.len();
    let cleaned = |claim: Citation| Citation {
        source: claim.source,
        quote: clean(&claim.quote).into_owned(),
        says: clean(&claim.says).into_owned(),
    };
    let plain: BTreeMap<&str, Vec<String>> =
        shown.iter().map(|(source, texts)| (source.as_str(), texts.iter().map(|text| plain(text)).collect())).collect();
    let holds = |claim: &Citation| {
        let quote = self::plain(&claim.quote);
        let is_long = quote.chars().filter(|c| c.is_alphanumeric()).count() >= SHORTEST;
        is_long && plain.get(claim.source.as_str()).is_some_and(|texts| texts.iter().any(|text| text.contains(&quote)))
    };
    let kept: Vec<Citation> = claims.into_iter().take(CLAIMS).map(cleaned).filter(holds).map(bounded).collect();
    let dropped = count - kept.len();
    (kept, dropped)
}

/// A text whose lines and blanks are of one kind: nobody copies those exactly.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn bounded(claim: Citation) -> Citation {
    let cut = |text: &str, most: usize| plain(head(text, most));
    Citation { source: claim.source, quote: cut(&claim.quote, LONGEST.0), says: cut(&claim.says, LONGEST.1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_shown_counts() {
        let shown = Shown::from([
            ("failure".to_owned(), vec!["AssertionError:\n  expected 201,   got 500".to_owned()]),
            ("file:src/a.py".to_owned(), vec!["def total(order):\n    return None".to_owned()]),
        ]);
        let claim = |source: &str, quote: &str| Citation {
            source: source.to_owned(),
            quote: quote.to_owned(),
            says: "it broke".to_owned(),
        };
        let all = vec![
            claim("failure", "expected 201, got 500"),
            claim("file:src/a.py", "def total(order): return None"),
            claim("failure", "expected 201, got 200"),
            claim("file:src/b.py", "def total(order)"),
            claim("failure", "got 500"),
            claim("failure", ""),
        ];
        let (kept, dropped) = supported(all, &shown);
        assert_eq!((kept.len(), dropped), (2, 4), "{kept:?}");
    }
}
