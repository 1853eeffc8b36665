//! How much a diagnosis matters.

use crate::diagnose::verdict::Verdict;

/// From "look when there is time" to "stop what you do".
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Costs time, breaks nothing.
    Low,
    /// Should be looked at.
    Medium,
    /// Something that worked does not.
    High,
    /// Widely broken, or crashing where users are.
    Critical,
}

impl Severity {
    /// The word in `report.json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What severity depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeverityInput {
    /// The run is one of the default branch.
    pub default_branch: bool,
    /// A crash, a 5xx, or an error of data or security.
    pub crash: bool,
    /// Cases in the diagnosis.
    pub tests: usize,
    /// Share of all cases that ran.
    pub share: f64,
    /// Probability of the verdict.
    pub confidence: f64,
}

/// Severity by verdict, raised by what breaks, where and how much of it.
#[must_use]
pub fn severity(verdict: Verdict, stakes: SeverityInput) -> Severity {
    let wide = stakes.tests >= 10 || (stakes.tests >= 3 && stakes.share >= 0.2);
    let raised = u8::from(wide) + u8::from(stakes.crash) + u8::from(stakes.default_branch);
    let points = match verdict {
        // Below 70 % it may well be something else.
        Verdict::Regression => 1 + raised.saturating_sub(u8::from(stakes.confidence < 0.7)),
        Verdict::Undecided => 1 + u8::from(wide) + u8::from(stakes.crash && stakes.default_branch),
        Verdict::BrokenTest | Verdict::OutdatedTest => 1 + u8::from(wide),
        Verdict::Environment | Verdict::RateLimited => u8::from(wide),
        Verdict::Flaky => u8::from(stakes.tests >= 5),
    };
    match points {
        0 => Severity::Low,
        1 => Severity::Medium,
        2 => Severity::High,
        _ => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let one = SeverityInput { tests: 1, share: 0.01, confidence: 0.9, ..SeverityInput::default() };
        let main = SeverityInput { default_branch: true, ..one };
        let crash = SeverityInput { crash: true, ..main };
        assert_eq!(severity(Verdict::Regression, one), Severity::Medium);
        assert_eq!(severity(Verdict::Regression, main), Severity::High);
        assert_eq!(severity(Verdict::Regression, crash), Severity::Critical);
        assert_eq!(severity(Verdict::Regression, SeverityInput { confidence: 0.62, ..main }), Severity::Medium);
        assert_eq!(severity(Verdict::Flaky, crash), Severity::Low);
        assert_eq!(severity(Verdict::Environment, SeverityInput { tests: 40, ..main }), Severity::Medium);
    }
}
