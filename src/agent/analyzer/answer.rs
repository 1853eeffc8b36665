//! The answer of an analyzer: its form, and how it is read.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::grounding::{Shown, supported};
use crate::diagnose::verdict::{Opinion, Verdict};
use crate::model::talk::Claim;
use crate::model::text::{clean, head};

/// Bytes of an answer that are read, and claims of it.
const LONGEST: usize = 64 << 10;
const CLAIMS: usize = 8;

/// The form, for servers that know JSON Schema.
pub(super) fn schema() -> Value {
    let verdicts: Vec<&str> = Verdict::DECIDED.iter().map(|v| v.word()).chain(["undecided"]).collect();
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["verdict", "confidence", "claims"],
        "properties": {
            "verdict": {"type": "string", "enum": verdicts},
            "confidence": {"type": "number"},
            "claims": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["source", "quote", "says"],
                    "properties": {"source": text(), "quote": text(), "says": text()},
                },
            },
        },
    })
}

#[derive(Deserialize)]
struct Raw {
    verdict: Verdict,
    confidence: f64,
    claims: Vec<RawClaim>,
}

#[derive(Deserialize)]
struct RawClaim {
    source: String,
    quote: String,
    says: String,
}

/// Reads an answer, also one that stands in a fence or among words.
pub(super) fn read(text: &str, shown: &Shown, model: &str) -> Result<Opinion, String> {
    let text = head(text, LONGEST);
    let begin = text.find('{').ok_or("it has no `{`")?;
    let end = text.rfind('}').filter(|end| *end > begin).ok_or("it has no `}`")?;
    let raw: Raw = serde_json::from_str(&text[begin..=end]).map_err(|e| e.to_string())?;
    if !raw.confidence.is_finite() {
        return Err("`confidence` is no number from 0 to 1".to_owned());
    }
    let claim = |raw: RawClaim| Claim {
        source: raw.source,
        quote: clean(&raw.quote).into_owned(),
        says: clean(&raw.says).into_owned(),
    };
    let beyond = raw.claims.len().saturating_sub(CLAIMS);
    let (claims, dropped) = supported(raw.claims.into_iter().take(CLAIMS).map(claim).collect(), shown);
    Ok(Opinion {
        verdict: raw.verdict,
        confidence: raw.confidence.clamp(0.0, 1.0),
        claims,
        dropped: dropped + beyond,
        model: model.to_owned(),
    })
}
