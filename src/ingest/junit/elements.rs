//! Elements → suites and cases. Holds the stack of open elements.

use std::collections::HashMap;

use quick_xml::events::BytesStart;

use super::case::{Budget, Draft, Trouble};
use super::xml::{Clip, attributes, entity, unescape};
use super::{DETAIL_LIMIT, ISSUE_LIMIT, NAME_LIMIT, OUTPUT_LIMIT, RawRun, keys};
use crate::ingest::dialects::{Clues, UNKNOWN, recognise};
use crate::ingest::foreign;
use crate::ingest::identity::{Prefix, canonical};
use crate::model::run::{IssueLevel, ParseIssue, TestRun};
use crate::model::test::TestId;
use crate::model::text::{clean, head};
use crate::model::time::Instant;

/// Suites deeper than this share the name of the one that holds them.
const SUITE_DEPTH: usize = 24;
/// An element that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Suites,
    Suite,
    Case,
    Trouble(Trouble, bool),
    Skipped,
    Out,
    Err,
    StackTrace,
    Properties,
    Property,
    Other,
}

impl Element {
    fn of(name: &str) -> Self {
        match name {
            "testcase" => Self::Case,
            "testsuite" => Self::Suite,
            "testsuites" => Self::Suites,
            "failure" => Self::Trouble(Trouble::Failure, false),
            "error" => Self::Trouble(Trouble::Error, false),
            "flakyFailure" => Self::Trouble(Trouble::RetryFailure, true),
            "flakyError" => Self::Trouble(Trouble::RetryError, true),
            "rerunFailure" => Self::Trouble(Trouble::RetryFailure, false),
            "rerunError" => Self::Trouble(Trouble::RetryError, false),
            "skipped" | "disabled" | "ignored" => Self::Skipped,
            "system-out" => Self::Out,
            "system-err" => Self::Err,
            "stackTrace" => Self::StackTrace,
            "properties" => Self::Properties,
            "property" => Self::Property,
            _ => Self::Other,
        }
    }

    /// Whether everything inside is text, whatever it looks like.
    fn is_output(self) -> bool {
        matches!(self, Self::Out | Self::Err | Self::StackTrace | Self::Skipped)
    }
}

/// What a suite says about itself, checked when it closes.
#[derive(Clone, Debug, Default)]
struct Declared {
    name: u32,
    tests: Option<u64>,
    bad: Option<u64>,
}

/// One open element.
#[derive(Clone, Debug)]
struct Frame {
    element: Element,
    /// Name, for elements that mean nothing here.
    other: Option<Box<str>>,
    /// Index of the suite that cases in here belong to.
    suite: u32,
    /// Index of the suite's host name, which some runners use for the matrix leg.
    leg: u16,
    declared: Option<Box<Declared>>,
    /// Elements and bad outcomes counted when this element opened.
    elements_before: u64,
    bad_before: u64,
}

/// Turns elements into a [`RawRun`].
pub struct Builder {
    run: TestRun,
    order: Vec<usize>,
    stack: Vec<Frame>,
    suite_depth: usize,
    draft: Draft,
    case_frame: usize,
    /// The property being read: raw name, and value.
    property: (String, Clip),
    suite_trouble: Clip,
    clues: Clues,
    dialect: &'static crate::ingest::dialects::Dialect,
    names: Interner,
    suites: Interner,
    legs: Legs,
    canonical_suites: Vec<String>,
    canonical_classes: Vec<String>,
    /// What class and suite contribute to identities, for the latest pair of them.
    prefix: (u32, u32, Option<Prefix>),
    budget: Budget,
    bad_seen: u64,
    position: u64,
    wants_position: bool,
    hidden_issues: usize,
    root_seen: bool,
}

/// Host names of suites, and for each case which one it belongs to, where that
/// is a matrix leg. Number 0 is "none".
#[derive(Debug, Default)]
struct Legs {
    names: Vec<String>,
    of_quiet: Vec<u16>,
    of_cases: Vec<u16>,
}

impl Legs {
    fn number(&mut self, name: &str) -> u16 {
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
struct Interner {
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
    last: u32,
}

impl Interner {
    /// The number of `text`, and whether it is new.
    fn number(&mut self, text: &str) -> (u32, bool) {
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

impl Builder {
    /// A builder for the file at `path`.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let mut builder = Self {
            run: TestRun { path: path.to_owned(), ..TestRun::default() },
            order: Vec::new(),
            stack: Vec::new(),
            suite_depth: 0,
            draft: Draft::default(),
            case_frame: 0,
            property: (String::new(), Clip::default()),
            suite_trouble: Clip::default(),
            clues: Clues::default(),
            dialect: UNKNOWN,
            names: Interner::default(),
            suites: Interner::default(),
            legs: Legs::default(),
            canonical_suites: Vec::new(),
            canonical_classes: Vec::new(),
            prefix: (0, 0, None),
            budget: Budget { used: 0 },
            bad_seen: 0,
            position: 0,
            wants_position: false,
            hidden_issues: 0,
            root_seen: false,
        };
        builder.suite_number("");
        builder
    }

    /// Whether [`Builder::set_position`] should be called before the next event.
    #[must_use]
    pub fn wants_position(&self) -> bool {
        self.wants_position
    }

    /// Tells how many bytes have been read.
    pub fn set_position(&mut self, position: u64) {
        self.position = position;
        self.wants_position = false;
    }

    /// Records an issue; past [`ISSUE_LIMIT`] they are only counted.
    pub fn issue(&mut self, level: IssueLevel, place: impl Into<String>, message: impl Into<String>) {
        if self.run.issues.len() < ISSUE_LIMIT || level == IssueLevel::Unusable {
            self.run.issues.push(ParseIssue::new(level, place, message));
        } else {
            self.hidden_issues += 1;
        }
    }

    /// The start of an element; `empty` for `<a/>`.
    pub fn open(&mut self, tag: &BytesStart<'_>, empty: bool) {
        let name = tag.local_name();
        let element = Element::of(name.as_ref());
        if self.stack.last().is_some_and(|top| top.element.is_output()) {
            // Markup printed by a test: text, not structure.
            if !empty {
                self.push(Element::Other, Some(name.as_ref()));
            }
            return;
        }
        if !self.root_seen {
            self.root(tag, element);
        }
        match element {
            Element::Case => self.open_case(tag),
            Element::Suite => self.open_suite(tag),
            Element::Suites => self.open_suites(tag),
            Element::Trouble(trouble, flaky) if self.draft.open => {
                self.draft.open_trouble(trouble, flaky, tag);
                self.run.totals.attempts += u64::from(is_retry(trouble));
                self.push(element, None);
            }
            Element::Trouble(..) => {
                self.open_suite_trouble(tag);
                self.push(element, None);
            }
            Element::Skipped => {
                self.open_skipped(tag);
                self.push(element, None);
            }
            Element::Property => self.open_property(tag),
            Element::Other => self.push(element, Some(name.as_ref())),
            _ => self.push(element, None),
        }
        if empty {
            self.pop();
        }
    }

    fn push(&mut self, element: Element, other: Option<&str>) {
        let (suite, leg) = self.stack.last().map_or((0, 0), |top| (top.suite, top.leg));
        self.stack.push(Frame {
            element,
            leg,
            other: other.map(|name| head(name, 100).into()),
            suite,
            declared: None,
            elements_before: self.run.totals.attempts,
            bad_before: self.bad_seen,
        });
    }

    /// The end of the element `name`. An end that matches no open element is
    /// passed over; one that matches an outer element closes what is inside.
    pub fn close(&mut self, name: &str) {
        let local = name.rsplit(':').next().unwrap_or(name);
        let element = Element::of(local);
        let matches = |frame: &Frame| {
            frame.element == element && (element != Element::Other || frame.other.as_deref() == Some(head(local, 100)))
        };
        let Some(depth) = self.stack.iter().rev().take(4096).position(matches) else {
            self.odd_end(local);
            return;
        };
        // An end tag inside of printed markup closes nothing that holds the print.
        if depth > 0 {
            let inner = self.stack.len() - depth;
            let in_output = self.stack[..inner].iter().any(|f| f.element.is_output())
                && !element.is_output()
                && !matches!(element, Element::Case | Element::Suite | Element::Suites);
            if in_output {
                return;
            }
            let printed = self.stack[inner - 1].element.is_output();
            if !printed {
                self.odd_end(local);
            }
        }
        for _ in 0..=depth {
            self.pop();
        }
    }

    fn odd_end(&mut self, name: &str) {
        self.wants_position = true;
        let place = self.place();
        self.issue(
            IssueLevel::Note,
            place,
            format!("`</{}>` closes an element that is not the innermost open one", head(name, 60)),
        );
    }

    fn pop(&mut self) {
        let Some(frame) = self.stack.pop() else {
            return;
        };
        match frame.element {
            Element::Case if self.draft.open && self.case_frame == self.stack.len() => self.finish_case(),
            Element::Suite | Element::Suites => self.close_suite(&frame),
            Element::Trouble(..) if self.draft.open => self.draft.close_trouble(),
            Element::Trouble(..) => self.close_suite_trouble(),
            Element::Property => self.close_property(),
            _ => {}
        }
    }

    /// Looks at the root: is this `JUnit` at all?
    fn root(&mut self, tag: &BytesStart<'_>, element: Element) {
        self.root_seen = true;
        if matches!(element, Element::Suites | Element::Suite | Element::Case) {
            return;
        }
        let name = tag.local_name();
        let name = name.as_ref();
        if let Some(message) = foreign::by_root(name, &keys(tag)) {
            self.issue(IssueLevel::Unusable, name.to_owned(), message);
        }
    }

    fn open_suites(&mut self, tag: &BytesStart<'_>) {
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

    fn open_suite(&mut self, tag: &BytesStart<'_>) {
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
        if let Some(declared) = declared.as_mut() {
            declared.name = number;
        }
        if let Some(frame) = self.stack.last_mut() {
            frame.suite = number;
            if !host.is_empty() {
                frame.leg = self.legs.number(&host);
            }
            frame.declared = declared;
        }
    }

    fn suite_number(&mut self, path: &str) -> u32 {
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
    fn close_suite(&mut self, frame: &Frame) {
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
        if tests > found {
            self.issue(
                level,
                place,
                format!("declares {tests} tests, {found} are in the file: some results may be missing"),
            );
        } else if failures > bad {
            self.issue(
                level,
                place,
                format!("declares {failures} failures and errors, {bad} are in the file: a failure may be missing"),
            );
        }
    }

    fn open_case(&mut self, tag: &BytesStart<'_>) {
        if self.draft.open {
            // A case inside a case, or one whose end is missing: both count.
            self.finish_case();
        }
        self.run.totals.attempts += 1;
        let bad = self.draft.start(tag);
        if bad > 0 {
            let place = self.place();
            self.issue(IssueLevel::Note, place, format!("{bad} malformed attributes were passed over"));
        }
        if self.run.totals.attempts == 1 {
            self.clues.case_keys = keys(tag);
            self.clues.case_class.clone_from(&self.draft.classname);
            self.clues.case_name.clone_from(&self.draft.name);
            self.dialect = recognise(&self.clues);
        }
        self.case_frame = self.stack.len();
        self.push(Element::Case, None);
    }

    /// A skipped case; CTest also writes a test like that whose program is
    /// missing, and counts it as failed itself.
    fn open_skipped(&mut self, tag: &BytesStart<'_>) {
        self.draft.skipped = true;
        let message = attribute(tag, "message");
        if self.draft.open && message.starts_with("Unable to find ") {
            self.draft.open_trouble(Trouble::Error, false, tag);
            self.draft.close_trouble();
        }
    }

    /// Names the case and files it with the quiet ones or the others.
    fn finish_case(&mut self) {
        self.draft.open = false;
        let suite = self.stack.last().map_or(0, |top| top.suite);
        let (class, new) = self.names.number(&self.draft.classname);
        if new {
            self.canonical_classes.push(canonical(&self.draft.classname).into_owned());
        }
        let id = self.identify(suite, class);
        if let Some(time) = self.draft.seconds {
            self.run.totals.seconds += time;
        }
        if self.draft.is_quiet() {
            let outcome = self.draft.quiet_outcome();
            self.run.totals.count(outcome);
            self.run.quiet.push(id, suite, class, &self.draft.name, outcome);
            if self.dialect.hostname_is_variant {
                self.legs.of_quiet.push(self.stack.last().map_or(0, |top| top.leg));
            }
            return;
        }
        let suite_name = &self.suites.texts[suite as usize];
        let case = self.draft.finish(id, suite_name, self.budget, self.dialect.lines_from_zero);
        self.budget.used += Budget::weigh(&case);
        self.bad_seen += case.bad_attempts() as u64;
        self.run.totals.count(case.outcome());
        self.order.push(self.run.quiet.len());
        self.run.cases.push(case);
        if self.dialect.hostname_is_variant {
            self.legs.of_cases.push(self.stack.last().map_or(0, |top| top.leg));
        }
    }

    fn identify(&mut self, suite: u32, class: u32) -> TestId {
        if self.prefix.2.is_none() || (self.prefix.0, self.prefix.1) != (suite, class) {
            let suite_name = if self.dialect.suite_is_machine { "" } else { &self.canonical_suites[suite as usize] };
            let prefix = Prefix::new(suite_name, &self.canonical_classes[class as usize]);
            self.prefix = (suite, class, Some(prefix));
        }
        let name = canonical(&self.draft.name);
        let Some(prefix) = &self.prefix.2 else {
            return TestId(0);
        };
        prefix.test_id(&name)
    }

    fn open_property(&mut self, tag: &BytesStart<'_>) {
        self.property.0.clear();
        self.property.1.clear();
        for (key, value) in attributes(tag) {
            match key {
                "name" => self.property.0.push_str(head(value, NAME_LIMIT)),
                "value" => self.property.1.push(&unescape(value), NAME_LIMIT),
                _ => {}
            }
        }
        if self.run.totals.attempts == 0 && self.clues.properties.len() < 4096 {
            self.clues.properties.push_str(head(&self.property.0, 60));
            self.clues.properties.push(' ');
        }
        self.push(Element::Property, None);
    }

    /// Keeps the property with the draft, which drops it unless the case is told.
    fn close_property(&mut self) {
        if self.draft.open {
            self.draft.add_property(&self.property.0, &mut self.property.1);
        }
    }

    /// A failure that belongs to a suite and no case: kept as a case of its own,
    /// because a failure must never be lost.
    fn open_suite_trouble(&mut self, tag: &BytesStart<'_>) {
        self.suite_trouble.clear();
        let message = attribute(tag, "message");
        self.suite_trouble.push(&message, DETAIL_LIMIT);
        self.suite_trouble.push("\n", DETAIL_LIMIT);
    }

    fn close_suite_trouble(&mut self) {
        let detail = self.suite_trouble.take();
        let suite = self.stack.last().map_or(0, |top| top.suite);
        let name = self.suites.texts[suite as usize].clone();
        let tag = BytesStart::new("error");
        self.draft.start(&BytesStart::new("testcase"));
        self.draft.name.push_str("(the suite itself)");
        self.draft.classname = name;
        self.draft.open_trouble(Trouble::Error, false, &tag);
        self.draft.detail.push(detail.trim(), DETAIL_LIMIT);
        self.run.totals.attempts += 1;
        self.finish_case();
        let place = self.place();
        self.issue(IssueLevel::Note, place, "a failure outside of any test case is shown as a case of its suite");
    }

    /// Text; `escaped` unless it came from a CDATA section.
    pub fn text(&mut self, raw: &str, escaped: bool) {
        let Some(top) = self.text_sink() else { return };
        let owned;
        let text = if escaped {
            owned = unescape(raw);
            &*owned
        } else {
            raw
        };
        match top {
            Element::Trouble(..) | Element::StackTrace if self.draft.trouble.is_some() => {
                self.draft.detail.push(text, DETAIL_LIMIT);
            }
            Element::Trouble(..) => self.suite_trouble.push(text, DETAIL_LIMIT),
            Element::Out if self.draft.open => self.draft.stdout.push(text, OUTPUT_LIMIT),
            Element::Err if self.draft.open => self.draft.stderr.push(text, OUTPUT_LIMIT),
            Element::Property => self.property.1.push(text, NAME_LIMIT),
            _ => {}
        }
    }

    /// The innermost element that collects text, looking through printed markup.
    fn text_sink(&self) -> Option<Element> {
        self.stack.iter().rev().map(|frame| frame.element).find(|element| *element != Element::Other)
    }

    /// `&name;` in text.
    pub fn reference(&mut self, name: &str) {
        if let Some(character) = entity(name) {
            self.text(character.encode_utf8(&mut [0; 4]), false);
        } else {
            let whole = format!("&{};", head(name, 200));
            self.text(&whole, false);
        }
    }

    /// Where the reader is: element path with the number of the case.
    fn place(&self) -> String {
        let mut path = String::new();
        for frame in self.stack.iter().take(6) {
            let name = match frame.element {
                Element::Suites => "testsuites",
                Element::Suite => "testsuite",
                Element::Case => "testcase",
                _ => continue,
            };
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(name);
        }
        if self.draft.open {
            let name = clean(&self.draft.name);
            path.push_str(&format!(" `{}`", head(&name, 120)));
        }
        if path.is_empty() { "start of file".to_owned() } else { path }
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
                "the file breaks off here ({error}); the {} complete cases before it are kept, \
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
    }

    /// The run as read; one for each leg where suites name theirs.
    #[must_use]
    pub fn finish_raw(mut self) -> Vec<RawRun> {
        if self.hidden_issues > 0 {
            let message = format!("{} more notes of this kind are not shown", self.hidden_issues);
            self.run.issues.push(ParseIssue::new(IssueLevel::Note, "whole file", message));
        }
        self.run.dialect = if self.run.totals.attempts == 0 { "unknown" } else { self.dialect.name };
        self.run.suites = self.suites.texts;
        self.run.classes = self.names.texts;
        let raw = RawRun { run: self.run, order: self.order, dialect: self.dialect };
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

/// Takes a run apart by leg. Suites, time and what cannot be told apart stay
/// with the first one.
fn split(raw: RawRun, legs: &Legs) -> Vec<RawRun> {
    let RawRun { run, order, dialect } = raw;
    let mut parts: Vec<RawRun> = std::iter::once(None)
        .chain(legs.names.iter().cloned().map(Some))
        .map(|variant| {
            let (suites, classes) = (run.suites.clone(), run.classes.clone());
            let part = TestRun {
                path: run.path.clone(),
                dialect: run.dialect,
                suites,
                classes,
                at: run.at,
                variant,
                ..TestRun::default()
            };
            RawRun { run: part, order: Vec::new(), dialect }
        })
        .collect();
    for (case, leg) in run.quiet.iter().zip(&legs.of_quiet) {
        let part = &mut parts[usize::from(*leg)].run;
        part.quiet.push(case.id, case.suite, case.class, case.name, case.outcome);
        part.totals.count(case.outcome);
        part.totals.attempts += 1;
    }
    for ((case, leg), before) in run.cases.into_iter().zip(&legs.of_cases).zip(order) {
        let part = &mut parts[usize::from(*leg)];
        let quiet_before = legs.of_quiet[..before.min(legs.of_quiet.len())].iter().filter(|l| *l == leg).count();
        part.order.push(quiet_before);
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

/// The cleaned value of one attribute; empty where it is missing.
fn attribute(tag: &BytesStart<'_>, key: &str) -> String {
    attributes(tag)
        .find(|(name, _)| *name == key)
        .map(|(_, value)| clean(head(&unescape(value), NAME_LIMIT)).into_owned())
        .unwrap_or_default()
}

fn is_retry(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::RetryFailure | Trouble::RetryError)
}

/// A suite's time stamp; without an offset it is taken as UTC.
fn stamp(value: &str) -> Option<Instant> {
    let value = value.trim();
    if let Ok(instant) = value.parse() {
        return Some(instant);
    }
    let civil: jiff::civil::DateTime = value.parse().ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Instant::from_unix(zoned.timestamp().as_second()))
}
