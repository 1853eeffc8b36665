//! Failures as vectors that a model made: the closer two are, the more alike they mean.
//! How close is close differs from model to model, so it is read off from failures that
//! are known to be of different causes.

/// Failures, and causes among them, without which nothing can be said.
const FEWEST: usize = 8;
const CAUSES: usize = 5;
/// Failures that are compared with each other.
const COMPARED: usize = 200;
/// How far above what failures of different causes have in common one must be: standard
/// deviations, and at least this much of what is left up to 1.
const DEVIATIONS: f64 = 3.0;
const SHARE: f64 = 0.5;

/// A failure of the past: its cause as far as that is known, and its vector.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The cluster that it was put into.
    pub cluster: &'a str,
    /// The vector.
    pub vector: &'a [f32],
}

/// The cosine of the angle between two vectors; 0 where one is none, or they differ in length.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return 0.0;
    }
    let (mut dot, mut left, mut right) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        dot += x * y;
        left += x * x;
        right += y * y;
    }
    let lengths = (left * right).sqrt();
    if lengths > 0.0 && lengths.is_finite() { (dot / lengths).clamp(-1.0, 1.0) } else { 0.0 }
}

/// From where on two failures are alike for this model; `None` where too little is known.
#[must_use]
pub fn threshold(known: &[Known<'_>]) -> Option<f64> {
    let known = &known[..known.len().min(COMPARED)];
    let mut causes: Vec<&str> = known.iter().map(|k| k.cluster).collect();
    causes.sort_unstable();
    causes.dedup();
    if known.len() < FEWEST || causes.len() < CAUSES {
        return None;
    }
    let mut apart: Vec<f64> = Vec::new();
    for (at, one) in known.iter().enumerate() {
        let others = known[at + 1..].iter().filter(|other| other.cluster != one.cluster);
        apart.extend(others.map(|other| cosine(one.vector, other.vector)));
    }
    let count = apart.len() as f64;
    let mean = apart.iter().sum::<f64>() / count;
    let deviation = (apart.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / count).sqrt();
    Some((mean + DEVIATIONS * deviation).max(mean + SHARE * (1.0 - mean)).min(0.999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_is_what_other_causes_are_not() {
        // Each cause points into a direction of its own; all have one in common.
        let vector = |cause: usize, noise: f32| {
            let mut all = vec![0.5_f32; 8];
            all[cause] += 2.0;
            all[7] += noise;
            all
        };
        let vectors: Vec<(String, Vec<f32>)> =
            (0..12).map(|n| (format!("c{}", n % 6), vector(n % 6, n as f32 / 50.0))).collect();
        let known: Vec<Known<'_>> = vectors.iter().map(|(cluster, vector)| Known { cluster, vector }).collect();
        let from = threshold(&known).unwrap();
        assert!(cosine(&vector(2, 0.1), &vector(2, 0.3)) > from, "{from}");
        assert!(cosine(&vector(2, 0.1), &vector(3, 0.1)) < from, "{from}");
        assert_eq!(threshold(&known[..7]), None);
        let one: Vec<Known<'_>> = vectors.iter().map(|(_, vector)| Known { cluster: "c", vector }).collect();
        assert_eq!(threshold(&one), None, "nothing is known to be of another cause");
    }

    #[test]
    fn odd_vectors_are_alike_to_nothing() {
        for (a, b) in
            [(vec![], vec![]), (vec![0.0], vec![0.0]), (vec![1.0], vec![1.0, 2.0]), (vec![f32::INFINITY], vec![1.0])]
        {
            assert!(cosine(&a, &b).abs() < 1e-9 || cosine(&a, &b).is_nan(), "{a:?} {b:?}");
        }
        assert!((cosine(&[3.0, 4.0], &[6.0, 8.0]) - 1.0).abs() < 1e-9);
    }
}
