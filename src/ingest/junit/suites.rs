//! Suites: their names, their legs, and whether they hold what they declare.

use quick_xml::events::BytesStart;

use super::SUITE_DEPTH;
use super::elements::{Builder, Element, Frame, attribute};
use super::xml::attributes;
use super::{NAME_LIMIT, keys};
use crate::ingest::identity::canonical;
use crate::model::run::IssueLevel;
use crate::model::text::head;
use crate::model::time::Timestamp;

/// What a suite says about itself, checked when it closes.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) name: u32,
    pub(super) tests: Option<u64>,
    pub(super) bad: Option<u64>,
}

impl Builder {
    pub(super) fn open_suites(&mut self, tag: &BytesStart<'_>) {
        let declared = self.suite_attributes(tag);
        if self.clues.root_keys.is_empty() {
            self.clues.root_keys = keys(tag);
            self.clues.root_name = attribute(tag, "name");
        }
        self.push(Element::Suites, None);
        if let Some(frame) = self.stack.last_mut() {
            frame.declared = declared;
        }
    }

    pub(super) fn open_suite(&mut self, tag: &BytesStart<'_>) {
        self.run.totals.suites += 1;
        let name = attribute(tag, "name");
        if self.run.totals.suites == 1 {
            self.clues.suite_keys = keys(tag);
            self.clues.suite_name.clone_from(&name);
        }
        let host = attribute(tag, "hostname");
        let parent = self.stack.last().map_or(0, |top| top.suite);
        let mut declared = self.suite_attributes(tag);
        self.push(Element::Suite, None);
        self.suite_depth += 1;
        let number = if self.suite_depth <= SUITE_DEPTH && !name.is_empty() {
            let outer = &self.suites.texts[parent as usize];
            let path = if outer.is_empty() { name } else { format!("{outer} / {name}") };
            self.suite_number(head(&path, NAME_LIMIT))
        } else {
            parent
        };
        let instance = u32::try_from(self.run.suite_elements.len()).unwrap_or(u32::MAX);
        self.run.suite_elements.push(number);
        if let Some(declared) = declared.as_mut() {
            declared.name = number;
        }
        if let Some(frame) = self.stack.last_mut() {
            frame.suite = number;
            frame.instance = instance;
            if !host.is_empty() {
                frame.leg = self.legs.number(&host);
            }
            frame.declared = declared;
        }
    }

    pub(super) fn suite_number(&mut self, path: &str) -> u32 {
        let (number, new) = self.suites.number(path);
        if new {
            self.canonical_suites.push(canonical(path).into_owned());
        }
        number
    }

    /// Reads the counts a suite declares and its time stamp.
    fn suite_attributes(&mut self, tag: &BytesStart<'_>) -> Option<Box<Declared>> {
        let mut declared = Declared::default();
        for (key, value) in attributes(tag) {
            let number = || value.trim().parse::<u64>().ok();
            match key {
                "tests" => declared.tests = number(),
                "failures" | "errors" => {
                    declared.bad = Some(declared.bad.unwrap_or(0).saturating_add(number().unwrap_or(0)));
                }
                "timestamp" => self.run.at = self.run.at.max(stamp(value)),
                _ => {}
            }
        }
        (declared.tests.is_some() || declared.bad.is_some()).then(|| Box::new(declared))
    }

    /// Compares what a suite declares with what was found in it.
    pub(super) fn close_suite(&mut self, frame: &Frame) {
        if frame.element == Element::Suite {
            self.suite_depth = self.suite_depth.saturating_sub(1);
        }
        let Some(declared) = &frame.declared else {
            return;
        };
        let found = self.run.totals.attempts - frame.elements_before;
        let bad = self.bad_seen - frame.bad_before;
        let name = &self.suites.texts[declared.name as usize];
        let place = if name.is_empty() { "testsuites".to_owned() } else { format!("testsuite `{name}`") };
        let (tests, failures) = (declared.tests.unwrap_or(0), declared.bad.unwrap_or(0));
        let level = if self.dialect.declares_otherwise { IssueLevel::Note } else { IssueLevel::Suspicious };
        self.more_than_declared |= declared.tests.is_some_and(|n| n > 0 && n < found);
        if tests > found {
            self.issue(
                level,
                place,
                format!(
                    "the number of tests it declares is {tests}, in the file are {found}: some results may be missing"
                ),
            );
        } else if failures > bad {
            self.issue(
                if self.dialect.declares_otherwise { IssueLevel::Note } else { IssueLevel::Unusable },
                place,
                format!("the number of failures and errors it declares is {failures}, in the file are {bad}: a failure may be missing"),
            );
        }
    }
}

/// A suite's time stamp; without an offset it is taken as UTC.
fn stamp(value: &str) -> Option<Timestamp> {
    let value = value.trim();
    if let Ok(instant) = value.parse() {
        return Some(instant);
    }
    let civil: jiff::civil::DateTime = value.parse().ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_unix(zoned.timestamp().as_second()))
}
