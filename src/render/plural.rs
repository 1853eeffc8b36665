//! Numbers and results in words and strips.

use crate::diagnose::test_history::RunMark;
use crate::model::run::Totals;

/// `1 test`, `2 tests`, with the digits grouped.
#[must_use]
pub fn plural(n: u64, one: &str) -> String {
    let many = if let Some(stem) = one.strip_suffix('y') {
        format!("{stem}ies")
    } else if one.ends_with('s') {
        format!("{one}es")
    } else {
        format!("{one}s")
    };
    format!("{} {}", grouped(n), if n == 1 { one } else { &many })
}

/// `1234567` → `1,234,567`.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What was counted, in words: `42 tests: 38 passed (1 flaky), 3 failed, 1 skipped`.
#[must_use]
pub fn counts(totals: &Totals) -> String {
    let mut parts = Vec::new();
    let flaky = if totals.flaky > 0 { format!(" ({} flaky)", grouped(totals.flaky)) } else { String::new() };
    if totals.passed > 0 || totals.tests == 0 {
        parts.push(format!("{} passed{flaky}", grouped(totals.passed)));
    }
    for (n, word) in [(totals.failed, "failed"), (totals.errored, "errored"), (totals.skipped, "skipped")] {
        if n > 0 {
            parts.push(format!("{} {word}", grouped(n)));
        }
    }
    format!("{}: {}", plural(totals.tests, "test"), parts.join(", "))
}

/// One character a result, for terminals.
#[must_use]
pub fn strip_plain(marks: &[RunMark]) -> String {
    marks
        .iter()
        .map(|mark| match mark {
            RunMark::Passed => '▁',
            RunMark::Flaky => '▄',
            RunMark::Bad => '█',
            RunMark::Outside => '░',
            RunMark::Skipped => '·',
        })
        .collect()
}

/// One square a result, for Markdown.
#[must_use]
pub fn strip_squares(marks: &[RunMark]) -> String {
    marks
        .iter()
        .map(|mark| match mark {
            RunMark::Passed => '🟩',
            RunMark::Flaky => '🟨',
            RunMark::Bad => '🟥',
            RunMark::Outside => '🟪',
            RunMark::Skipped => '⬜',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words() {
        assert_eq!(plural(1, "test"), "1 test");
        assert_eq!(plural(1_234_567, "report"), "1,234,567 reports");
        assert_eq!(plural(2, "entry"), "2 entries");
        assert_eq!(grouped(999), "999");
        let totals = Totals { tests: 4, passed: 3, flaky: 1, errored: 1, ..Totals::default() };
        assert_eq!(counts(&totals), "4 tests: 3 passed (1 flaky), 1 errored");
        assert_eq!(counts(&Totals::default()), "0 tests: 0 passed");
    }
}
