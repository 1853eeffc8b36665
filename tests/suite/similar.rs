//! How well failures of one cause are found again, told in other words: measured on groups
//! that people judged (`fixtures/similar`). The figures stand in `docs/similarity.md`
//! (`UPDATE=1 cargo test similar`).

use serde::Deserialize;
use testmedic::diagnose::fingerprint::is_telling;
use testmedic::diagnose::lexical::{ALIKE, Features, Lexicon};
use testmedic::diagnose::mask::mask;
use testmedic::diagnose::similarity::Words;

#[derive(Deserialize)]
struct Groups {
    group: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    #[serde(default)]
    held: bool,
    texts: Vec<String>,
}

struct Text {
    group: usize,
    held: bool,
    masked: String,
}

/// A way to tell how alike two texts are.
type Measure<'a> = (&'static str, f64, Box<dyn Fn(usize, usize) -> f64 + 'a>);

/// What a measure finds.
#[derive(Default)]
struct Found {
    queries: usize,
    /// The closest is of the same cause.
    closest: usize,
    /// Claimed to be alike, rightly and wrongly.
    right: usize,
    wrong: usize,
    /// Of the same cause, and not claimed to be alike.
    missed: usize,
}

fn figures(texts: &[Text], held: bool, (_, threshold, like): &Measure<'_>) -> Found {
    let mut found = Found::default();
    for (at, text) in texts.iter().enumerate().filter(|(_, text)| text.held == held) {
        let mut others: Vec<(f64, bool)> = (0..texts.len())
            .filter(|other| *other != at)
            .map(|other| (like(at, other), texts[other].group == text.group))
            .collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.queries += 1;
        found.closest += usize::from(others[0].1);
        // What says nothing of its own is alike to nothing.
        let claims = is_telling("", &text.masked) && others[0].0 >= *threshold;
        match others[0].1 {
            is_same if claims && is_same => found.right += 1,
            _ if claims => found.wrong += 1,
            _ => found.missed += 1,
        }
    }
    found
}

#[test]
fn the_same_cause_in_other_words() {
    let root = env!("CARGO_MANIFEST_DIR");
    let groups: Groups =
        toml::from_str(&std::fs::read_to_string(format!("{root}/fixtures/similar/groups.toml")).unwrap()).unwrap();
    let texts: Vec<Text> = groups
        .group
        .iter()
        .enumerate()
        .flat_map(|(group, own)| {
            assert!(own.texts.len() > 1, "{}", own.name);
            own.texts.iter().map(move |text| Text { group, held: own.held, masked: mask(text, 2000) })
        })
        .collect();
    let words: Vec<Words> = texts.iter().map(|t| Words::of(&t.masked)).collect();
    let features: Vec<Features> = texts.iter().map(|t| Features::of(&t.masked)).collect();
    let lexicon = Lexicon::of(&features);
    let measures: [Measure<'_>; 2] = [
        ("words in common (Dice)", 0.8, Box::new(|a, b| words[a].similarity(&words[b]))),
        ("lexical embedding", ALIKE, Box::new(|a, b| lexicon.likeness(&features[a], &features[b]))),
    ];
    let mut page = format!(
        "# How failures are found again\n\nMade by `UPDATE=1 cargo test similar`: {} failures of {} causes, as people \
         judged them (`fixtures/similar`). Each is looked for among all others. \"closest\": the most similar one has \
         the same cause; \"claimed\": it is similar enough to be named, rightly or wrongly.\n\n| measure | texts | \
         closest | claimed rightly | claimed wrongly | not claimed |\n|---|---|--:|--:|--:|--:|\n",
        texts.len(),
        groups.group.len()
    );
    let mut seen = Vec::new();
    for measure in &measures {
        for (held, which) in [(false, "seen while it was chosen"), (true, "held back")] {
            let f = figures(&texts, held, measure);
            page.push_str(&format!(
                "| {} | {which} | {} of {} | {} | {} | {} |\n",
                measure.0, f.closest, f.queries, f.right, f.wrong, f.missed
            ));
            seen.push(f);
        }
    }
    println!("{page}");
    if std::env::var_os("LIKENESS").is_some() {
        for step in 3..9 {
            let one: Measure<'_> = ("", f64::from(step) / 10.0, Box::new(|a, b| measures[1].2(a, b)));
            for held in [false, true] {
                let f = figures(&texts, held, &one);
                println!("{:.1} {held} right {} wrong {} missed {}", one.1, f.right, f.wrong, f.missed);
            }
        }
    }
    if std::env::var_os("LIKENESS").is_some() {
        for at in 0..texts.len() {
            let mut others: Vec<(f64, usize)> =
                (0..texts.len()).filter(|o| *o != at).map(|o| (measures[1].2(at, o), o)).collect();
            others.sort_by(|a, b| b.0.total_cmp(&a.0));
            let own = others.iter().find(|(_, o)| texts[*o].group == texts[at].group).unwrap().0;
            let other = others.iter().find(|(_, o)| texts[*o].group != texts[at].group).unwrap();
            println!("{own:.2} {:.2} {} / {}", other.0, texts[at].masked, texts[other.1].masked);
        }
    }
    let path = format!("{root}/docs/similarity.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let (plain, lexical) = (&seen[1], &seen[3]);
    assert!(lexical.closest > plain.closest && lexical.right > plain.right && lexical.wrong <= plain.wrong);
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "run `UPDATE=1 cargo test similar`");
}
