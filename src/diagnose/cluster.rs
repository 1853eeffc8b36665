//! Failures that look alike.
//!
//! Exact first: the same fingerprint. Then fuzzy: masked messages that share
//! most of their words, found through MinHash bands, so that the cost grows
//! with the number of failures and not with its square. Clusters known from
//! history are there first, so that an id survives the next run.

use std::collections::{BTreeMap, HashMap};

use crate::diagnose::fingerprint::MaskedFailure;
use crate::diagnose::similarity::{BANDS, Words};
use crate::history::PastFailure;
use crate::model::failure::{Fingerprint, Signal};

/// Similarity from which two telling messages of the same types are one cluster.
const ALIKE: f64 = 0.85;
/// Words a message must have to be joined by similarity alone.
const WORDS: usize = 6;
/// Clusters compared with for each band key.
const PER_BAND: usize = 8;

/// The clusters of a run.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    /// For each failure, in the order given, the index of its cluster.
    pub of: Vec<usize>,
    /// Id of each cluster: a fingerprint, or `signal:…` with its version.
    pub ids: Vec<String>,
}

/// Groups `prints`; `signals` stand beside them.
#[must_use]
pub fn cluster(prints: &[&MaskedFailure], signals: &[Option<Signal>], seeds: &[PastFailure]) -> Clusters {
    let mut builder = Builder::default();
    for seed in seeds {
        builder.seed(seed);
    }
    // The most frequent fingerprints come first, so that rare forms join them.
    let mut counts: BTreeMap<Fingerprint, (usize, usize)> = BTreeMap::new();
    for (index, print) in prints.iter().enumerate() {
        counts.entry(print.fingerprint).or_insert((0, index)).0 += 1;
    }
    let mut order: Vec<(usize, Fingerprint, usize)> =
        counts.into_iter().map(|(fingerprint, (count, first))| (count, fingerprint, first)).collect();
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut of_print: HashMap<Fingerprint, usize> = HashMap::new();
    for (_, fingerprint, first) in order {
        let cluster = builder.place(prints[first]);
        of_print.insert(fingerprint, cluster);
    }
    let of = prints
        .iter()
        .zip(signals)
        .map(|(print, signal)| match signal {
            Some(signal) if signal.is_outside() => builder.by_signal(*signal),
            _ => of_print[&print.fingerprint],
        })
        .collect();
    Clusters { of, ids: builder.ids }
}

#[derive(Default)]
struct Builder {
    ids: Vec<String>,
    by_id: HashMap<String, usize>,
    by_print: HashMap<String, usize>,
    /// Kinds and words of each cluster that can be joined by similarity.
    words: HashMap<usize, Vec<(String, Words)>>,
    bands: HashMap<(u8, u64), Vec<usize>>,
}

impl Builder {
    fn number(&mut self, id: &str) -> usize {
        if let Some(&known) = self.by_id.get(id) {
            return known;
        }
        self.ids.push(id.to_owned());
        self.by_id.insert(id.to_owned(), self.ids.len() - 1);
        self.ids.len() - 1
    }

    fn seed(&mut self, seed: &PastFailure) {
        let cluster = self.number(&seed.cluster);
        self.by_print.insert(seed.fingerprint.clone(), cluster);
        self.remember(cluster, &seed.kinds, Words::of(&seed.masked));
    }

    fn by_signal(&mut self, signal: Signal) -> usize {
        self.number(&format!("s1-{}", signal.word()))
    }

    /// The cluster of a failure: the one its fingerprint is known in, the one it
    /// is alike, or a new one.
    fn place(&mut self, print: &MaskedFailure) -> usize {
        let id = print.fingerprint.to_string();
        if let Some(&known) = self.by_print.get(&id) {
            return known;
        }
        let words = Words::of(&print.masked);
        let alike = if print.telling { self.alike(&print.kinds, &words) } else { None };
        let cluster = alike.unwrap_or_else(|| self.number(&id));
        self.by_print.insert(id, cluster);
        if print.telling {
            self.remember(cluster, &print.kinds, words);
        }
        cluster
    }

    fn alike(&self, kinds: &str, words: &Words) -> Option<usize> {
        if words.len() < WORDS {
            return None;
        }
        let mut candidates: Vec<usize> =
            keys(words).filter_map(|key| self.bands.get(&key)).flatten().copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .filter_map(|cluster| {
                let best = self.words[&cluster]
                    .iter()
                    .filter(|(other, _)| other == kinds)
                    .map(|(_, other)| words.similarity(other))
                    .fold(0.0, f64::max);
                (best >= ALIKE).then_some((best, cluster))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
            .map(|(_, cluster)| cluster)
    }

    fn remember(&mut self, cluster: usize, kinds: &str, words: Words) {
        let forms = self.words.entry(cluster).or_default();
        // A cluster is known by its first forms; it does not drift with its members.
        if words.len() < WORDS || forms.len() >= PER_BAND {
            return;
        }
        for key in keys(&words) {
            let list = self.bands.entry(key).or_default();
            if list.len() < PER_BAND && !list.contains(&cluster) {
                list.push(cluster);
            }
        }
        forms.push((kinds.to_owned(), words));
    }
}

fn keys(words: &Words) -> impl Iterator<Item = (u8, u64)> {
    let bands: [u64; BANDS] = words.bands();
    (0_u8..).zip(bands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn print(kinds: &str, masked: &str) -> MaskedFailure {
        MaskedFailure {
            fingerprint: Fingerprint::of(1, &[kinds, masked]),
            kinds: kinds.into(),
            masked: masked.into(),
            frames: Vec::new(),
            telling: true,
        }
    }

    const LONG: &str = "could not load the profile of tenant alpha because the region west is not configured for it";

    #[test]
    fn alike_messages_join_and_types_separate() {
        let a = print("LookupError", LONG);
        let b = print("LookupError", &LONG.replace("alpha", "beta"));
        let c = print("ValueError", &LONG.replace("alpha", "beta"));
        let d = print("LookupError", "something else entirely happened while reading the file of the user");
        let clusters = cluster(&[&a, &b, &c, &d], &[None; 4], &[]);
        assert_eq!(clusters.of[0], clusters.of[1]);
        assert_eq!(clusters.of.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    }

    #[test]
    fn an_id_survives_the_next_run() {
        let seed = PastFailure {
            fingerprint: "f1-0000000000000001".into(),
            cluster: "f1-0000000000000001".into(),
            kinds: "LookupError".into(),
            masked: LONG.into(),
            first: Timestamp::from_unix(0),
            last: Timestamp::from_unix(0),
            times: 1,
            last_run: "run 1".into(),
        };
        let again = print("LookupError", &LONG.replace("alpha", "gamma"));
        let clusters = cluster(&[&again], &[None], &[seed]);
        assert_eq!(clusters.ids[clusters.of[0]], "f1-0000000000000001");
    }

    #[test]
    fn one_outage_is_one_cluster() {
        let a = print("A", "connection refused");
        let b = print("B", "socket hang up");
        let clusters = cluster(&[&a, &b], &[Some(Signal::Connection); 2], &[]);
        assert_eq!(clusters.of[0], clusters.of[1]);
    }
}
