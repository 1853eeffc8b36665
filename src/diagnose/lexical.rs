//! A lexical embedding of failures: words, their halves and the letters that they are made
//! of, each by how rare it is in what is known. Failures of one cause are told in other
//! words by another test, framework or language; rare words and their parts stay.
//!
//! How well it does beside plain word counts stands in `docs/similarity.md`.

use std::collections::HashMap;

/// From here on two failures are named as alike.
pub const ALIKE: f64 = 0.45;
/// Letters of the parts of words that count.
const GRAM: usize = 4;
/// Words of a text that count.
const WORDS: usize = 256;
/// What a part of a word counts against the whole word.
const PART: f32 = 0.4;
/// Bytes between quotes, and what they count where both texts have some: messages of one
/// kind differ in nothing else.
const QUOTED: usize = 120;
const NAMED: f64 = 0.4;

/// FNV-1a; stable, and good enough to tell words apart.
fn hash(kind: u8, text: &str) -> u32 {
    let begin = (0x811c_9dc5_u32 ^ u32::from(kind)).wrapping_mul(0x0100_0193);
    text.bytes().fold(begin, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

/// Hashes of words and of parts of words, with how often they come.
type Bag = Vec<(u32, f32)>;

/// What a text is made of: all of it, and what stands in quotes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    all: Bag,
    named: Bag,
}

impl Features {
    /// Those of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self { all: bag(text), named: bag(&quoted(text).join(" ")) }
    }
}

fn bag(text: &str) -> Bag {
    let mut counts: HashMap<u32, f32> = HashMap::new();
    for word in words(text).into_iter().take(WORDS) {
        *counts.entry(hash(0, &word)).or_default() += 1.0;
        let letters: Vec<char> = word.chars().collect();
        for part in letters.windows(GRAM).filter(|_| letters.len() > GRAM) {
            let part: String = part.iter().collect();
            *counts.entry(hash(1, &part)).or_default() += PART;
        }
    }
    // What comes often says little more than what comes once.
    let mut all: Bag = counts.into_iter().map(|(key, count)| (key, (1.0 + count).ln())).collect();
    all.sort_unstable_by_key(|(key, _)| *key);
    all
}

/// What stands in quotes: messages name there what they are about.
fn quoted(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some((at, quote)) = rest.char_indices().find(|(_, c)| matches!(c, '"' | '\'' | '`')) {
        let last = rest[..at].chars().next_back().unwrap_or(before);
        let inner = &rest[at + 1..];
        let end = inner.find(quote).filter(|end| *end <= QUOTED && !last.is_alphanumeric());
        let Some(end) = end else {
            (before, rest) = (quote, inner);
            continue;
        };
        found.push(&inner[..end]);
        (before, rest) = (quote, &inner[end + 1..]);
    }
    found
}

/// Words of a text in small letters; names in camel case or with underscores in their parts.
fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for whole in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut word = String::new();
        let mut was_small = false;
        for letter in whole.chars() {
            if letter.is_uppercase() && was_small {
                all.push(std::mem::take(&mut word));
            }
            was_small = letter.is_lowercase() || letter.is_numeric();
            word.extend(letter.to_lowercase());
        }
        all.push(word);
    }
    all
}

/// How rare each word and part of a word is in what is known.
#[derive(Clone, Debug, Default)]
pub struct Lexicon {
    texts: usize,
    holding: HashMap<u32, u32>,
}

impl Lexicon {
    /// That of some texts.
    #[must_use]
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a Features>) -> Self {
        let mut lexicon = Self::default();
        for features in texts {
            lexicon.texts += 1;
            for (key, _) in &features.all {
                *lexicon.holding.entry(*key).or_default() += 1;
            }
        }
        lexicon
    }

    fn rarity(&self, key: u32) -> f32 {
        let holding = self.holding.get(&key).copied().unwrap_or(0);
        ((self.texts as f32 + 1.0) / (holding as f32 + 1.0)).ln() + 0.3
    }

    /// How alike two texts are: 0 for nothing in common, 1 for the same.
    #[must_use]
    pub fn likeness(&self, a: &Features, b: &Features) -> f64 {
        let all = self.cosine(&a.all, &b.all);
        if a.named.is_empty() || b.named.is_empty() {
            return all;
        }
        (1.0 - NAMED) * all + NAMED * self.cosine(&a.named, &b.named)
    }

    /// The cosine of the angle between two bags.
    fn cosine(&self, a: &Bag, b: &Bag) -> f64 {
        let (mut i, mut j, mut dot) = (0, 0, 0.0_f64);
        let weight = |(key, count): (u32, f32)| f64::from(count * self.rarity(key));
        while i < a.len() && j < b.len() {
            match a[i].0.cmp(&b[j].0) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => {
                    dot += weight(a[i]) * weight(b[j]);
                    i += 1;
                    j += 1;
                }
            }
        }
        let length = |of: &Bag| of.iter().map(|f| weight(*f).powi(2)).sum::<f64>().sqrt();
        let lengths = length(a) * length(b);
        if lengths > 0.0 { (dot / lengths).min(1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_count_more() {
        let texts = [
            "ConnectionError: cannot reach the payments service",
            "Connection to payments failed",
            "ConnectionError: cannot reach the search service",
            "ConnectionError: cannot reach the mail service",
        ];
        let features: Vec<Features> = texts.iter().map(|t| Features::of(t)).collect();
        let lexicon = Lexicon::of(&features);
        let like = |a: usize, b: usize| lexicon.likeness(&features[a], &features[b]);
        assert!((like(0, 0) - 1.0).abs() < 1e-6);
        assert!(like(2, 3) < 0.75, "{}", like(2, 3));
        assert_eq!(
            words("getUserName v2 HTTPServer snake_case"),
            ["get", "user", "name", "v2", "httpserver", "snake", "case"]
        );
        assert_eq!(quoted("it isn't 'a b' but \"c\" and `d"), ["a b", "c"]);
        assert!(lexicon.likeness(&Features::of(""), &features[0]).abs() < f64::EPSILON);
    }
}
