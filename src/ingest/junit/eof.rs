//! How a file ends: regularly, cut, or without having shown a test.

use super::elements::{Builder, Element};
use super::interned::split;
use super::{ISSUE_LIMIT, RawRun};
use crate::model::run::{IssueLevel, ParseIssue, TestRun};

impl Builder {
    /// Records an issue; past [`ISSUE_LIMIT`] they are only counted.
    pub fn issue(&mut self, level: IssueLevel, place: impl Into<String>, message: impl Into<String>) {
        if self.run.issues.len() < ISSUE_LIMIT || level == IssueLevel::Unusable {
            self.run.issues.push(ParseIssue::new(level, place, message));
        } else {
            self.hidden_issues += 1;
        }
    }

    /// Broken markup after which reading goes on.
    pub fn trouble(&mut self, at: u64, error: &str) {
        let place = format!("{} (byte {at})", self.place());
        self.issue(
            IssueLevel::Suspicious,
            place,
            format!("not well-formed here ({error}); reading went on behind it, results near it may be missing"),
        );
    }

    /// The file ends too early, or cannot be read on.
    pub fn cut(&mut self, at: u64, error: &str) {
        let place = format!("{} (byte {at})", self.place());
        self.issue(
            IssueLevel::Unusable,
            place,
            format!(
                "the file breaks off here ({error}); what was complete before it is kept ({} in all), \
                 what came after is unknown: check that the job was not cancelled while writing it",
                self.run.totals.tests
            ),
        );
        self.abandon();
    }

    /// The regular end of the file, with elements left open or not.
    pub fn end_of_file(&mut self, at: u64) {
        let open = self.stack.iter().any(|f| matches!(f.element, Element::Suites | Element::Suite | Element::Case));
        if open {
            self.cut(at, "elements are still open");
        } else if self.run.totals.tests == 0 && self.run.worst() < Some(IssueLevel::Unusable) {
            self.no_cases();
        }
    }

    fn no_cases(&mut self) {
        if !self.root_seen {
            self.issue(
                IssueLevel::Unusable,
                "start of file",
                "holds no XML element; check that the test runner wrote its JUnit report before this step",
            );
        } else if self.run.totals.suites == 0 && !self.clues.root_keys.contains("tests") {
            self.issue(
                IssueLevel::Suspicious,
                "testsuites",
                "holds no test suite and no test case: no test was seen to run",
            );
        } else {
            self.issue(IssueLevel::Suspicious, "whole file", "holds no test case: no test was seen to run");
        }
    }

    /// Drops what is still open. A case that had already told a failure is kept.
    fn abandon(&mut self) {
        if self.draft.open && (self.draft.trouble.is_some() || !self.draft.is_quiet()) {
            self.finish_case();
        } else if self.draft.open {
            self.draft.open = false;
            self.run.totals.attempts -= 1;
        }
        self.stack.clear();
        self.outputs = 0;
    }

    /// The run as read; one for each leg where suites name theirs.
    #[must_use]
    pub fn finish_raw(mut self) -> Vec<RawRun> {
        if self.hidden_issues > 0 {
            let message = format!("{} more notes of this kind are not shown", self.hidden_issues);
            self.run.issues.push(ParseIssue::new(IssueLevel::Note, "whole file", message));
        }
        self.run.dialect = if self.case_seen { self.dialect.name } else { "unknown" };
        self.identify_quiet();
        self.run.suites = self.suites.texts;
        self.run.classes = self.names.texts;
        let reruns = self.more_than_declared && self.run.totals.suites == 1;
        let raw = RawRun { run: self.run, order: self.order, dialect: self.dialect, reruns };
        match self.legs.names.as_slice() {
            [] => vec![raw],
            _ if !raw.dialect.hostname_is_variant => vec![raw],
            [only] => vec![RawRun { run: TestRun { variant: Some(only.clone()), ..raw.run }, ..raw }],
            _ => split(raw, &self.legs),
        }
    }

    /// The run of a file that was refused.
    #[must_use]
    pub fn refused(mut self) -> TestRun {
        self.run.dialect = "unknown";
        self.run
    }
}
