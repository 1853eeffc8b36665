//! Where a test's failure rate changed, after LUCI's Bayesian analysis
//! (`analysis/internal/changepoints`): the likelihood of one rate for all runs
//! against that of two rates with a boundary between them.

/// Prior of a run having a failure: Beta(0.3, 0.5), LUCI's.
const PRIOR: (f64, f64) = (0.3, 0.5);
/// Evidence a boundary must bring: log of LUCI's threshold 10⁻⁴.
const THRESHOLD: f64 = -9.210_340_371_976_182;

/// A boundary between two failure rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// Index of the first run behind the boundary.
    pub at: usize,
    /// Log of how much likelier two rates are than one, less the threshold.
    pub gain: f64,
    /// Failures and runs before the boundary.
    pub before: (usize, usize),
    /// Failures and runs behind it.
    pub after: (usize, usize),
}

/// The latest boundary in `bad` (one value a run, oldest first), if the
/// evidence for it suffices. O(n) for each split.
#[must_use]
pub fn latest(bad: &[bool]) -> Option<ChangePoint> {
    let best = split(bad)?;
    match latest(&bad[best.at..]) {
        Some(later) => Some(ChangePoint { at: best.at + later.at, ..later }),
        None => Some(best),
    }
}

/// The likeliest boundary, if the evidence suffices.
fn split(bad: &[bool]) -> Option<ChangePoint> {
    let n = bad.len();
    let total = bad.iter().filter(|b| **b).count();
    let whole = log_likelihood(total, n);
    let mut before = 0;
    let mut best: Option<ChangePoint> = None;
    for at in 1..n {
        before += usize::from(bad[at - 1]);
        if bad[at] == bad[at - 1] {
            // A boundary between equal neighbours is never the likeliest.
            continue;
        }
        let gain = log_likelihood(before, at) + log_likelihood(total - before, n - at) - whole + THRESHOLD;
        if gain > 0.0 && best.is_none_or(|b| gain > b.gain) {
            best = Some(ChangePoint { at, gain, before: (before, at), after: (total - before, n - at) });
        }
    }
    best
}

/// Marginal likelihood of `x` failures in `n` runs in a given order.
fn log_likelihood(x: usize, n: usize) -> f64 {
    let (a, b) = PRIOR;
    let (x, n) = (x as f64, n as f64);
    ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + ln_gamma(x + a) + ln_gamma(n - x + b) - ln_gamma(n + a + b)
}

/// Lanczos' approximation (g = 7, nine terms) for positive arguments.
fn ln_gamma(z: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if z < 0.5 {
        return (std::f64::consts::PI / (std::f64::consts::PI * z).sin()).ln() - ln_gamma(1.0 - z);
    }
    let z = z - 1.0;
    let sum = TERMS.iter().enumerate().skip(1).fold(TERMS[0], |sum, (i, term)| sum + term / (z + i as f64));
    let t = z + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (z + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(parts: &[(usize, bool)]) -> Vec<bool> {
        parts.iter().flat_map(|(n, bad)| std::iter::repeat_n(*bad, *n)).collect()
    }

    #[test]
    fn gamma() {
        for (z, expected) in [(1.0, 0.0), (5.0, 24_f64.ln()), (0.5, std::f64::consts::PI.sqrt().ln())] {
            assert!((ln_gamma(z) - expected).abs() < 1e-9, "{z}");
        }
    }

    /// How many failures in a row are needed after so many clean runs.
    #[test]
    fn sensitivity() {
        for (clean, needed) in [(5, 13), (10, 6), (20, 4), (50, 3), (300, 2)] {
            assert!(latest(&series(&[(clean, false), (needed, true)])).is_some(), "{clean} clean, {needed} bad");
            assert!(
                latest(&series(&[(clean, false), (needed - 1, true)])).is_none(),
                "{clean} clean, {} bad",
                needed - 1
            );
        }
    }

    #[test]
    fn the_latest_boundary_is_found_where_it_is() {
        let found = latest(&series(&[(40, false), (10, true), (40, false), (12, true)])).unwrap();
        assert_eq!((found.at, found.after), (90, (12, 12)));
        assert_eq!(latest(&series(&[(50, false)])), None);
        assert_eq!(latest(&series(&[(50, true)])), None);
        assert_eq!(latest(&[]), None);
    }
}
