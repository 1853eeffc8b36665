//! One `<testcase>` while it is being read.

use quick_xml::events::BytesStart;

use super::xml::{Clip, attributes, seconds, unescape};
use super::{DETAIL_LIMIT, MESSAGE_LIMIT, NAME_LIMIT, OUTPUT_LIMIT};
use crate::ingest::source_location::failure_place;
use crate::model::test::{Attempt, Failure, Outcome, Place, TestCase, TestId, TestName};
use crate::model::text::{Untrusted, first_line, head};

/// Properties kept of one case.
const PROPERTY_LIMIT: usize = 64;

/// What kind of trouble an element inside a case tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureElement {
    /// `<failure>`
    Failure,
    /// `<error>`
    Error,
    /// `<flakyFailure>`, `<rerunFailure>`
    RetryFailure,
    /// `<flakyError>`, `<rerunError>`
    RetryError,
}

impl FailureElement {
    fn outcome(self) -> Outcome {
        match self {
            Self::Failure | Self::RetryFailure => Outcome::Failed,
            Self::Error | Self::RetryError => Outcome::Errored,
        }
    }

    fn is_retry(self) -> bool {
        matches!(self, Self::RetryFailure | Self::RetryError)
    }
}

/// A failure that has been read.
#[derive(Debug)]
struct ParsedFailure {
    trouble: FailureElement,
    failure: Failure,
    seconds: Option<f64>,
    flaky: bool,
}

/// The failure being read.
#[derive(Debug)]
pub struct PendingFailure {
    pub trouble: FailureElement,
    flaky: bool,
    kind: String,
    message: String,
    seconds: Option<f64>,
}

/// A case being read. One value is reused for all cases of a file, so that a
/// passing case allocates nothing.
#[derive(Debug, Default)]
pub struct CaseBuilder {
    pub open: bool,
    pub name: String,
    pub classname: String,
    file: String,
    line: Option<u32>,
    pub seconds: Option<f64>,
    status: Option<Outcome>,
    pub skipped: bool,
    flaky: bool,
    retries: u32,
    told: Vec<ParsedFailure>,
    pub trouble: Option<PendingFailure>,
    pub detail: Clip,
    pub stdout: Clip,
    pub stderr: Clip,
    /// `name=value` pairs, one after the other; ends of each in `property_ends`.
    properties: String,
    property_ends: Vec<(usize, usize)>,
}

impl CaseBuilder {
    /// Starts a new case from the attributes of its tag. Returns how many
    /// attributes could not be read.
    pub fn start(&mut self, tag: &BytesStart<'_>) -> usize {
        self.reset();
        self.open = true;
        let mut all = attributes(tag);
        for (key, value) in all.by_ref() {
            match key {
                "name" => set(&mut self.name, value),
                "classname" | "class" => set(&mut self.classname, value),
                "time" | "duration" => self.seconds = seconds(value),
                "file" | "filepath" => set(&mut self.file, value),
                "line" | "lineno" => self.line = value.trim().parse().ok(),
                "status" | "result" => self.take_status(value),
                "success" if value.trim().eq_ignore_ascii_case("false") => self.take_status("failed"),
                "disabled" | "skipped" | "ignored" => self.skipped |= is_true(value),
                "flaky" => self.flaky = is_true(value),
                "retries" | "retry" | "reruns" => self.retries = value.trim().parse().unwrap_or(0),
                _ => {}
            }
        }
        all.malformed
    }

    fn reset(&mut self) {
        self.name.clear();
        self.classname.clear();
        self.file.clear();
        self.line = None;
        self.seconds = None;
        self.status = None;
        self.skipped = false;
        self.flaky = false;
        self.retries = 0;
        self.told.clear();
        self.trouble = None;
        self.detail.clear();
        self.stdout.clear();
        self.stderr.clear();
        self.properties.clear();
        self.property_ends.clear();
    }

    /// Notes a property in buffers that are reused, because nearly all of them
    /// belong to cases that pass and are forgotten.
    pub fn add_property(&mut self, name: &str, value: &mut Clip) {
        if self.property_ends.len() < PROPERTY_LIMIT {
            self.properties.push_str(name);
            let middle = self.properties.len();
            value.write_to(&mut self.properties);
            self.property_ends.push((middle, self.properties.len()));
        }
    }

    fn take_properties(&self) -> Vec<(Untrusted, Untrusted)> {
        let starts = std::iter::once(0).chain(self.property_ends.iter().map(|(_, end)| *end));
        starts
            .zip(&self.property_ends)
            .map(|(start, &(middle, end))| {
                let name = unescape(&self.properties[start..middle]);
                (Untrusted::bounded(&name, NAME_LIMIT), Untrusted::bounded(&self.properties[middle..end], NAME_LIMIT))
            })
            .collect()
    }

    /// `status` and `result` as GoogleTest, CTest, Robot and hand-made writers use them.
    fn take_status(&mut self, value: &str) {
        let status = match value.to_ascii_lowercase().as_str() {
            "fail" | "failed" | "failure" | "broken" | "not ok" | "not_ok" => Some(Outcome::Failed),
            "error" | "errored" | "crashed" | "aborted" | "timeout" | "timedout" => Some(Outcome::Errored),
            "notrun" | "disabled" | "skipped" | "skip" | "suppressed" | "ignored" | "pending" => Some(Outcome::Skipped),
            _ => None,
        };
        self.status = self.status.max(status);
    }

    /// Opens a failure, error, flaky or rerun element.
    pub fn open_trouble(&mut self, trouble: FailureElement, flaky: bool, tag: &BytesStart<'_>) {
        self.close_trouble();
        let mut open = PendingFailure { trouble, flaky, kind: String::new(), message: String::new(), seconds: None };
        for (key, value) in attributes(tag) {
            match key {
                "message" => open.message = unescape(value).into_owned(),
                "type" => open.kind = unescape(head(value, NAME_LIMIT)).into_owned(),
                "time" => open.seconds = seconds(value),
                _ => {}
            }
        }
        self.detail.clear();
        self.trouble = Some(open);
    }

    /// Closes the open failure element, if there is one.
    pub fn close_trouble(&mut self) {
        let Some(open) = self.trouble.take() else {
            return;
        };
        let detail = Untrusted::masked(&self.detail.take(), DETAIL_LIMIT);
        let message = Untrusted::masked(&open.message, MESSAGE_LIMIT);
        let message =
            if message.is_blank() { Untrusted::new(first_line(detail.raw(), MESSAGE_LIMIT)) } else { message };
        let kind = Untrusted::bounded(open.kind.trim(), 300);
        // A failure element per line would be a way around the bounds.
        let own = self.told.iter().filter(|t| !t.trouble.is_retry()).count();
        if self.told.len() < 100 || (!open.trouble.is_retry() && own < 100) {
            self.told.push(ParsedFailure {
                trouble: open.trouble,
                flaky: open.flaky,
                seconds: open.seconds,
                failure: Failure { kind: (!kind.is_blank()).then_some(kind), message, detail },
            });
        }
    }

    /// Whether the case passed at once or was skipped, with nothing to tell.
    pub fn is_quiet(&self) -> bool {
        self.told.is_empty()
            && self.trouble.is_none()
            && !self.flaky
            && self.retries == 0
            && !self.status.is_some_and(Outcome::is_bad)
    }

    /// The outcome of a quiet case.
    pub fn quiet_outcome(&self) -> Outcome {
        if self.skipped || self.status == Some(Outcome::Skipped) { Outcome::Skipped } else { Outcome::Passed }
    }

    /// Turns the draft into a case with its attempts.
    pub fn finish(&mut self, id: TestId, suite: &str, budget: Budget, lines_from_zero: bool) -> TestCase {
        self.close_trouble();
        if lines_from_zero {
            self.line = self.line.map(|line| line.saturating_add(1));
        }
        let (attempts, declared_retries) = self.attempts();
        let mut case = TestCase {
            id,
            name: TestName {
                suite: Untrusted::bounded(suite, NAME_LIMIT),
                classname: Untrusted::bounded(&self.classname, NAME_LIMIT),
                name: Untrusted::bounded(&self.name, NAME_LIMIT),
            },
            place: None,
            variant: None,
            attempts,
            declared_retries,
            stdout: Untrusted::masked(&self.stdout.take(), OUTPUT_LIMIT),
            stderr: Untrusted::masked(&self.stderr.take(), OUTPUT_LIMIT),
            properties: self.take_properties(),
        };
        case.place = self.place(&case);
        budget.shrink(&mut case);
        case
    }

    /// The executions in order: for a flaky case the failed ones and then the
    /// pass; for a failed one the first failure and then its reruns (Surefire's order).
    fn attempts(&mut self) -> (Vec<Attempt>, u32) {
        let mut told = std::mem::take(&mut self.told);
        let own: Vec<ParsedFailure> = extract(&mut told, |t| !t.trouble.is_retry());
        let mut attempts = Vec::new();
        let passed_after_all = self.flaky && !self.status.is_some_and(Outcome::is_bad);
        if passed_after_all && !own.is_empty() {
            // dorny/test-reporter#531: flaky="true" with the failed tries as children.
            attempts.extend(own.into_iter().map(single));
            attempts.extend(told.into_iter().map(single));
            attempts.push(self.pass());
            return (attempts, 0);
        }
        let (flaky, rerun): (Vec<ParsedFailure>, Vec<ParsedFailure>) = told.into_iter().partition(|t| t.flaky);
        if own.is_empty() {
            attempts.extend(flaky.into_iter().map(single));
            let still_failing = !rerun.is_empty();
            attempts.extend(rerun.into_iter().map(single));
            // Surefire writes rerun* only below a failure that stayed; without it
            // the case still failed each time.
            if !still_failing {
                attempts.push(self.ending());
            }
            let hidden = if attempts.len() == 1 && attempts.last().is_some_and(|a| a.outcome == Outcome::Passed) {
                self.retries.max(u32::from(self.flaky))
            } else {
                0
            };
            return (attempts, hidden);
        }
        attempts.push(several(own, self.seconds));
        attempts.extend(flaky.into_iter().map(single));
        attempts.extend(rerun.into_iter().map(single));
        (attempts, 0)
    }

    fn pass(&self) -> Attempt {
        Attempt { outcome: Outcome::Passed, failures: Vec::new(), seconds: self.seconds }
    }

    /// The attempt that the case itself describes when it has no failure element.
    fn ending(&self) -> Attempt {
        match self.status {
            Some(bad) if bad.is_bad() => Attempt {
                outcome: bad,
                failures: vec![Failure {
                    message: Untrusted::new("the report marks this case as failed and says nothing more"),
                    ..Failure::default()
                }],
                seconds: self.seconds,
            },
            _ => Attempt { outcome: self.quiet_outcome(), failures: Vec::new(), seconds: self.seconds },
        }
    }

    /// Whether an attribute names the file.
    pub(super) fn declares_file(&self) -> bool {
        !self.file.is_empty()
    }

    fn place(&self, case: &TestCase) -> Option<Place> {
        if !self.file.is_empty() {
            return Some(Place { file: Untrusted::bounded(&self.file, 400), line: self.line });
        }
        let failure = case.failure()?;
        failure_place(failure.detail.raw()).or_else(|| failure_place(failure.message.raw()))
    }
}

/// How much of a case's texts the file's budget still allows.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes of text kept so far in this file.
    pub used: usize,
}

impl Budget {
    /// In a report with very many failures the first ones keep their full text,
    /// later ones their beginning, so that memory stays bounded.
    fn shrink(self, case: &mut TestCase) {
        let limit = match self.used {
            0..0x80_0000 => return,
            0x80_0000..0x100_0000 => 1024,
            _ => 256,
        };
        case.stdout = Untrusted::default();
        case.stderr = Untrusted::default();
        case.properties = Vec::new();
        for failure in case.attempts.iter_mut().flat_map(|a| &mut a.failures) {
            failure.message = Untrusted::bounded(failure.message.raw(), limit);
            failure.detail = Untrusted::bounded(failure.detail.raw(), limit);
        }
    }

    /// Bytes of text that `case` holds.
    pub fn weigh(case: &TestCase) -> usize {
        let texts = case.stdout.raw().len() + case.stderr.raw().len();
        let failures = case.attempts.iter().flat_map(|a| &a.failures);
        texts + failures.map(|f| f.message.raw().len() + f.detail.raw().len()).sum::<usize>()
    }
}

fn single(told: ParsedFailure) -> Attempt {
    Attempt { outcome: told.trouble.outcome(), failures: vec![told.failure], seconds: told.seconds }
}

/// One attempt with all its failures; it failed if any check did, else it errored.
fn several(own: Vec<ParsedFailure>, seconds: Option<f64>) -> Attempt {
    let failed = own.iter().any(|t| t.trouble == FailureElement::Failure);
    Attempt {
        outcome: if failed { Outcome::Failed } else { Outcome::Errored },
        failures: own.into_iter().map(|t| t.failure).collect(),
        seconds,
    }
}

fn extract(from: &mut Vec<ParsedFailure>, take: impl Fn(&ParsedFailure) -> bool) -> Vec<ParsedFailure> {
    let (taken, left) = std::mem::take(from).into_iter().partition(|t| take(t));
    *from = left;
    taken
}

#[inline]
fn set(field: &mut String, raw: &str) {
    field.clear();
    if raw.len() <= NAME_LIMIT && memchr::memchr(b'&', raw.as_bytes()).is_none() {
        field.push_str(raw);
        return;
    }
    field.push_str(head(&unescape(head(raw, 4 * NAME_LIMIT)), NAME_LIMIT));
}

/// Whether a flag-like attribute says yes.
fn is_true(value: &str) -> bool {
    matches!(value.trim(), "true" | "True" | "TRUE" | "1" | "yes")
}
