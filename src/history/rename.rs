//! Tests that go on under a new name.
//!
//! When a test disappears in the very run in which another one appears, they
//! may be the same. The link is made only on good evidence, and only where no
//! other pair would do as well.

use std::collections::{BTreeMap, HashSet};

use crate::history::RenamedFrom;
use crate::ingest::identity::base_name;
use crate::model::test::TestId;

/// Similarity of names from which a rename is believed (token-set Jaccard).
const ALIKE: f64 = 0.6;
/// Tests on either side above which nothing is linked: a run of a different
/// selection is not a mass rename.
const MOST: usize = 500;

/// A test that appeared or disappeared.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Identity.
    pub id: TestId,
    /// Class name.
    pub class: String,
    /// Name with parameters.
    pub name: String,
}

/// Links tests of `gone` to tests of `new`.
///
/// * moved: the same name in another class, once on each side;
/// * renamed: the same class and a name that shares at least 60 % of its words,
///   better than any other pair of the two.
///
/// Tests that differ only in their parameters are never linked: they are
/// different tests.
#[must_use]
pub fn link(gone: &[Candidate], new: &[Candidate]) -> Vec<RenamedFrom> {
    // A run of a part of the tests loses many at once.
    let partial = gone.len() > 4 * new.len() + 4;
    if partial || gone.is_empty() || new.is_empty() || gone.len() > MOST || new.len() > MOST {
        return Vec::new();
    }
    let mut links = moved(gone, new);
    let linked: HashSet<TestId> = links.iter().flat_map(|a| [a.now, a.was]).collect();
    links.extend(renamed(gone, new, &linked));
    links
}

fn moved(gone: &[Candidate], new: &[Candidate]) -> Vec<RenamedFrom> {
    let mut by_name: BTreeMap<&str, (Vec<&Candidate>, Vec<&Candidate>)> = BTreeMap::new();
    for candidate in gone {
        by_name.entry(&candidate.name).or_default().0.push(candidate);
    }
    for candidate in new {
        by_name.entry(&candidate.name).or_default().1.push(candidate);
    }
    by_name
        .into_values()
        .filter_map(|pair| match pair {
            (was, now) if was.len() == 1 && now.len() == 1 && was[0].class != now[0].class => Some(RenamedFrom {
                now: now[0].id,
                was: was[0].id,
                because: format!("moved from {} to {}", was[0].class, now[0].class),
            }),
            _ => None,
        })
        .collect()
}

fn renamed(gone: &[Candidate], new: &[Candidate], linked: &HashSet<TestId>) -> Vec<RenamedFrom> {
    let mut pairs: Vec<(f64, &Candidate, &Candidate)> = Vec::new();
    for was in gone.iter().filter(|c| !linked.contains(&c.id)) {
        for now in new.iter().filter(|c| !linked.contains(&c.id) && c.class == was.class) {
            let same_base = base_name(&was.name) == base_name(&now.name);
            let same_parameters = was.name[base_name(&was.name).len()..] == now.name[base_name(&now.name).len()..];
            let alike = jaccard(base_name(&was.name), base_name(&now.name));
            if !same_base && same_parameters && alike >= ALIKE {
                pairs.push((alike, was, now));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id)).then(a.2.id.cmp(&b.2.id)));
    let rivals = |pair: &(f64, &Candidate, &Candidate)| {
        pairs.iter().filter(|o| (o.1.id == pair.1.id || o.2.id == pair.2.id) && (o.0 - pair.0).abs() < 1e-9).count()
    };
    let mut taken = HashSet::new();
    pairs
        .iter()
        .filter(|pair| rivals(pair) == 1)
        .filter(|pair| taken.insert(pair.1.id) & taken.insert(pair.2.id))
        .map(|(alike, was, now)| RenamedFrom {
            now: now.id,
            was: was.id,
            because: format!("renamed from {} ({:.0} % of the words are the same)", was.name, alike * 100.0),
        })
        .collect()
}

/// Shared words over all words, of `snake_case`, `camelCase` and plain text.
fn jaccard(a: &str, b: &str) -> f64 {
    let (a, b) = (words(a), words(b));
    let common = a.intersection(&b).count();
    let all = a.len() + b.len() - common;
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

fn words(name: &str) -> HashSet<String> {
    let mut words = HashSet::new();
    let mut word = String::new();
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.insert(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    words.insert(word);
    words.remove("");
    words.remove("test");
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(list: &[(&str, &str)], from: u128) -> Vec<Candidate> {
        list.iter()
            .zip(from..)
            .map(|((class, name), id)| Candidate { id: TestId(id), class: (*class).into(), name: (*name).into() })
            .collect()
    }

    #[test]
    fn links() {
        type Names = &'static [(&'static str, &'static str)];
        let table: [(Names, Names, usize, &str); 7] = [
            (&[("a", "test_login_works")], &[("b", "test_login_works")], 1, "moved"),
            (&[("a", "test_user_can_log_in")], &[("a", "test_user_can_log_in_again")], 1, "renamed"),
            (&[("a", "test_x[1]")], &[("a", "test_x[2]")], 0, "other parameters"),
            (&[("a", "test_cart")], &[("a", "test_invoice")], 0, "nothing alike"),
            (&[("a", "t"), ("b", "t")], &[("c", "t")], 0, "ambiguous move"),
            (&[("a", "create_user_now")], &[("a", "create_user_soon"), ("a", "create_user_late")], 0, "too unlike"),
            (&[("a", "createsUserInDb")], &[("a", "createsUserInDatabaseDb")], 1, "camel case"),
        ];
        for (gone, new, count, why) in table {
            assert_eq!(link(&candidates(gone, 1), &candidates(new, 100)).len(), count, "{why}");
        }
    }

    #[test]
    fn another_selection_is_no_mass_rename() {
        let many: Vec<(String, String)> = (0..600).map(|n| ("a".into(), format!("test_{n}"))).collect();
        let gone: Vec<Candidate> = many
            .iter()
            .zip(0..)
            .map(|((c, n), id)| Candidate { id: TestId(id), class: c.clone(), name: n.clone() })
            .collect();
        assert!(link(&gone, &candidates(&[("b", "test_1")], 10_000)).is_empty());
    }
}
