//! Texts by number, and the matrix legs that one file tells apart.

use std::collections::HashMap;

use super::{Position, RawRun};
use crate::model::run::TestRun;

/// Host names of suites, and for each case which one it belongs to, where that
/// is a matrix leg. Number 0 is "none".
#[derive(Debug, Default)]
pub(super) struct Legs {
    pub(super) names: Vec<String>,
    pub(super) of_quiet: Vec<u16>,
    pub(super) of_cases: Vec<u16>,
}

impl Legs {
    pub(super) fn number(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|n| n == name);
        // More than a thousand hosts are no matrix.
        if known.is_none() && self.names.len() < 1000 {
            self.names.push(name.to_owned());
        }
        let index = known.unwrap_or(self.names.len() - 1);
        u16::try_from(index + 1).unwrap_or(0)
    }
}

/// Texts by number. Remembers the last one, because cases of one class stand together.
#[derive(Debug, Default)]
pub(super) struct Interner {
    pub(super) texts: Vec<String>,
    numbers: HashMap<String, u32>,
    last: u32,
}

impl Interner {
    /// The number of `text`, and whether it is new.
    pub(super) fn number(&mut self, text: &str) -> (u32, bool) {
        if self.texts.get(self.last as usize).is_some_and(|last| last == text) {
            return (self.last, false);
        }
        if let Some(&number) = self.numbers.get(text) {
            self.last = number;
            return (number, false);
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        self.last = number;
        (number, true)
    }
}

/// Takes a run apart by leg. Suites, time and what cannot be told apart stay
/// with the first one.
pub(super) fn split(raw: RawRun, legs: &Legs) -> Vec<RawRun> {
    let RawRun { run, order, dialect, reruns } = raw;
    let mut parts: Vec<RawRun> = std::iter::once(None)
        .chain(legs.names.iter().cloned().map(Some))
        .map(|variant| {
            let (suites, classes) = (run.suites.clone(), run.classes.clone());
            let suite_elements = run.suite_elements.clone();
            let part = TestRun {
                path: run.path.clone(),
                dialect: run.dialect,
                suites,
                suite_elements,
                classes,
                at: run.at,
                variant,
                ..TestRun::default()
            };
            RawRun { run: part, order: Vec::new(), dialect, reruns }
        })
        .collect();
    for (case, leg) in run.quiet.iter().zip(&legs.of_quiet) {
        let part = &mut parts[usize::from(*leg)].run;
        part.quiet.push(case.id, case.suite, case.class, case.name, case.outcome);
        part.totals.count(case.outcome);
        part.totals.attempts += 1;
    }
    for ((case, leg), position) in run.cases.into_iter().zip(&legs.of_cases).zip(order) {
        let part = &mut parts[usize::from(*leg)];
        let before = position.quiet_before.min(legs.of_quiet.len());
        let quiet_before = legs.of_quiet[..before].iter().filter(|l| *l == leg).count();
        part.order.push(Position { quiet_before, ..position });
        part.run.totals.count(case.outcome());
        part.run.totals.attempts += case.attempts.len() as u64;
        part.run.cases.push(case);
    }
    parts.retain(|part| part.run.totals.tests > 0);
    if let Some(first) = parts.first_mut() {
        first.run.issues = run.issues;
        first.run.totals.suites = run.totals.suites;
        first.run.totals.seconds = run.totals.seconds;
    }
    parts
}
