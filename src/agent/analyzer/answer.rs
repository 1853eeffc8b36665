//! The answer of an analyzer: its form, and how it is read.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::grounding::{Shown, claim_schema, json_in, supported};
use crate::agent::session::ParsedAnswer;
use crate::diagnose::verdict::{ModelOpinion, Verdict};
use crate::model::chat::Citation;

/// The form, for servers that know JSON Schema.
pub(super) fn schema() -> Value {
    let verdicts: Vec<&str> = Verdict::DECIDED.iter().map(|v| v.word()).chain(["undecided"]).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["verdict", "confidence", "claims"],
        "properties": {
            "verdict": {"type": "string", "enum": verdicts},
            "confidence": {"type": "number"},
            "claims": {
                "type": "array",
                "items": claim_schema(),
            },
        },
    })
}

#[derive(Deserialize)]
struct RawAnswer {
    verdict: Verdict,
    confidence: f64,
    claims: Vec<Citation>,
}

/// Reads an answer, also one that stands in a fence or among words.
pub(super) fn read(text: &str, shown: &Shown, model: &str) -> ParsedAnswer<ModelOpinion> {
    let raw: RawAnswer = match json_in(text) {
        Ok(raw) => raw,
        Err(why) => return ParsedAnswer::Malformed(why),
    };
    if !raw.confidence.is_finite() {
        return ParsedAnswer::Malformed("`confidence` is no number from 0 to 1".to_owned());
    }
    let (claims, dropped) = supported(raw.claims, shown);
    if claims.is_empty() {
        return ParsedAnswer::Nothing("nothing of what it said is supported by what it was shown".to_owned());
    }
    ParsedAnswer::Concluded(ModelOpinion {
        verdict: raw.verdict,
        confidence: raw.confidence.clamp(0.0, 1.0),
        claims,
        dropped,
        model: model.to_owned(),
    })
}
