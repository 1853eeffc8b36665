//! How alike two masked texts are, and a way to find likely pairs without
//! comparing each with each.

/// The words of a text as sorted hashes; at most [`WORD_LIMIT`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<u32>);

/// Words that count.
const WORD_LIMIT: usize = 256;
/// MinHash bands; two texts that share one are compared.
pub const BANDS: usize = 6;

/// FNV-1a; stable, and good enough to tell words apart.
fn hash(word: &str) -> u32 {
    word.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

impl Words {
    /// The words of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut words: Vec<u32> = text
            .split(|c: char| {
                c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '"' | '\'' | '=')
            })
            .filter(|word| !word.is_empty())
            .take(WORD_LIMIT)
            .map(hash)
            .collect();
        words.sort_unstable();
        Self(words)
    }

    /// Number of words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Dice's coefficient over words with their multiplicity: 0 for nothing in
    /// common, 1 for the same words.
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f64 {
        if self.0.is_empty() && other.0.is_empty() {
            return 1.0;
        }
        let (mut i, mut j, mut common) = (0, 0, 0_usize);
        while i < self.0.len() && j < other.0.len() {
            match self.0[i].cmp(&other.0[j]) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => {
                    common += 1;
                    i += 1;
                    j += 1;
                }
            }
        }
        2.0 * common as f64 / (self.0.len() + other.0.len()) as f64
    }

    /// Keys such that texts with a similarity of 0.85 share one with a
    /// probability above 0.99 (Jaccard ≥ 0.74, two hashes a band, six bands).
    #[must_use]
    pub fn bands(&self) -> [u64; BANDS] {
        let mut keys = [0_u64; BANDS];
        for (band, key) in keys.iter_mut().enumerate() {
            let (mut a, mut b) = (u32::MAX, u32::MAX);
            let seed = u32::try_from(band).unwrap_or(0);
            for word in &self.0 {
                a = a.min(mix(word ^ seed.wrapping_mul(0x9e37_79b9)));
                b = b.min(mix(word ^ seed.wrapping_mul(0x85eb_ca6b) ^ 0xdead_beef));
            }
            *key = u64::from(a) << 32 | u64::from(b);
        }
        keys
    }
}

/// Murmur3's finaliser.
fn mix(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_texts_share_words_and_a_band() {
        let a = Words::of("connection to database refused while loading user profile for tenant alpha in region west");
        let b = Words::of("connection to database refused while loading user profile for tenant beta in region west");
        let c = Words::of("index out of range in parser");
        assert!(a.similarity(&b) > 0.9 && a.similarity(&c) < 0.2);
        assert!((a.similarity(&a) - 1.0).abs() < f64::EPSILON);
        assert!(a.bands().iter().zip(b.bands()).any(|(x, y)| *x == y));
    }
}
