//! Elements → suites and cases. Holds the stack of open elements.

use quick_xml::events::BytesStart;

use super::case::{Budget, CaseBuilder, FailureElement};
use super::interned::{Interner, Legs};
use super::suites::Declared;
use super::xml::{Clip, attributes, entity, unescape};
use super::{DETAIL_LIMIT, NAME_LIMIT, OUTPUT_LIMIT, Position, keys};
use crate::ingest::dialects::{Clues, UNKNOWN, recognise};
use crate::ingest::identity::{Prefix, canonical};
use crate::ingest::unsupported;
use crate::model::run::{IssueLevel, TestRun};
use crate::model::test::TestId;
use crate::model::text::{clean, head};

/// An element that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Suites,
    Suite,
    Case,
    Trouble(FailureElement, bool),
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
            "failure" => Self::Trouble(FailureElement::Failure, false),
            "error" => Self::Trouble(FailureElement::Error, false),
            "flakyFailure" => Self::Trouble(FailureElement::RetryFailure, true),
            "flakyError" => Self::Trouble(FailureElement::RetryError, true),
            "rerunFailure" => Self::Trouble(FailureElement::RetryFailure, false),
            "rerunError" => Self::Trouble(FailureElement::RetryError, false),
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

/// One open element.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) element: Element,
    /// Name, for elements that mean nothing here.
    pub(super) other: Option<Box<str>>,
    /// Index of the suite that cases in here belong to.
    pub(super) suite: u32,
    /// Index of the suite element itself.
    pub(super) instance: u32,
    /// Index of the suite's host name, which some runners use for the matrix leg.
    pub(super) leg: u16,
    pub(super) declared: Option<Box<Declared>>,
    /// Elements and bad outcomes counted when this element opened.
    pub(super) elements_before: u64,
    pub(super) bad_before: u64,
}

/// Turns elements into a `RawRun`.
#[expect(clippy::struct_excessive_bools, reason = "what was seen so far, each with its doc")]
pub struct Builder {
    pub(super) run: TestRun,
    pub(super) order: Vec<Position>,
    pub(super) stack: Vec<Frame>,
    pub(super) suite_depth: usize,
    pub(super) draft: CaseBuilder,
    pub(super) case_frame: usize,
    /// The property being read: raw name, and value.
    pub(super) property: (String, Clip),
    pub(super) suite_trouble: Clip,
    pub(super) clues: Clues,
    pub(super) dialect: &'static crate::ingest::dialects::Dialect,
    pub(super) names: Interner,
    pub(super) suites: Interner,
    pub(super) legs: Legs,
    pub(super) canonical_suites: Vec<String>,
    pub(super) canonical_classes: Vec<String>,
    pub(super) budget: Budget,
    pub(super) bad_seen: u64,
    pub(super) position: u64,
    pub(super) wants_position: bool,
    pub(super) hidden_issues: usize,
    pub(super) root_seen: bool,
    pub(super) case_seen: bool,
    /// Open elements in which everything is text.
    pub(super) outputs: u32,
    /// Whether a suite holds more elements than the tests it declares: reruns.
    pub(super) more_than_declared: bool,
    /// `type` of a failure that belongs to a suite.
    pub(super) suite_kind: String,
}

impl Builder {
    /// A builder for the file at `path`.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let mut builder = Self {
            run: TestRun { path: path.to_owned(), suite_elements: vec![0], ..TestRun::default() },
            order: Vec::new(),
            stack: Vec::new(),
            suite_depth: 0,
            draft: CaseBuilder::default(),
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
            budget: Budget { used: 0 },
            bad_seen: 0,
            position: 0,
            wants_position: false,
            hidden_issues: 0,
            root_seen: false,
            case_seen: false,
            outputs: 0,
            more_than_declared: false,
            suite_kind: String::new(),
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

    /// The start of an element; `empty` for `<a/>`.
    pub fn open(&mut self, tag: &BytesStart<'_>, empty: bool) {
        let name = tag.local_name();
        let element = Element::of(name.as_ref());
        if self.outputs > 0 {
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

    pub(super) fn push(&mut self, element: Element, other: Option<&str>) {
        let (suite, instance, leg) = self.stack.last().map_or((0, 0, 0), |top| (top.suite, top.instance, top.leg));
        self.outputs += u32::from(element.is_output());
        self.stack.push(Frame {
            element,
            instance,
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
        if self.outputs > 0 && self.close_printed(local) {
            return;
        }
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

    /// Closes markup that a test printed, if `name` ends some: true then.
    fn close_printed(&mut self, name: &str) -> bool {
        let printed = self.stack.iter().rev().take(4096).take_while(|frame| !frame.element.is_output());
        let depth = printed.map(|frame| frame.other.as_deref()).position(|other| other == Some(head(name, 100)));
        let Some(depth) = depth else { return false };
        for _ in 0..=depth {
            self.pop();
        }
        true
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
        self.outputs -= u32::from(frame.element.is_output());
        match frame.element {
            Element::Case if self.draft.open && self.case_frame == self.stack.len() => self.finish_case(),
            Element::Suite | Element::Suites => self.close_suite(&frame),
            Element::Trouble(..) if self.draft.open => self.draft.close_trouble(),
            Element::Trouble(..) => self.close_suite_trouble(),
            Element::Property => self.close_property(),
            _ => {}
        }
    }

    /// Looks at the root: is this JUnit at all?
    fn root(&mut self, tag: &BytesStart<'_>, element: Element) {
        self.root_seen = true;
        if matches!(element, Element::Suites | Element::Suite | Element::Case) {
            return;
        }
        let name = tag.local_name();
        let name = name.as_ref();
        if let Some(message) = unsupported::by_root(name, &keys(tag)) {
            self.issue(IssueLevel::Unusable, name.to_owned(), message);
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
            let broken = tag.attributes_raw().split(['"', '\'']).step_by(2).any(|outside| outside.contains('<'));
            if broken {
                self.issue(IssueLevel::Unusable, place, "this tag has no end: what stands in it could not be read");
            } else {
                self.issue(IssueLevel::Note, place, format!("malformed attributes were passed over: {bad}"));
            }
        }
        if !std::mem::replace(&mut self.case_seen, true) {
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
            self.draft.open_trouble(FailureElement::Error, false, tag);
            self.draft.close_trouble();
        }
    }

    /// Names the case and files it with the quiet ones or the others.
    pub(super) fn finish_case(&mut self) {
        self.draft.open = false;
        let suite = self.stack.last().map_or(0, |top| top.suite);
        let (class, new) = self.names.number(&self.draft.classname);
        if new {
            self.canonical_classes.push(canonical(&self.draft.classname).into_owned());
        }
        if let Some(time) = self.draft.seconds {
            self.run.totals.seconds += time;
        }
        if self.draft.is_quiet() {
            let outcome = self.draft.quiet_outcome();
            self.run.totals.count(outcome);
            let instance = self.stack.last().map_or(0, |top| top.instance);
            // Its identity comes later, see `Builder::identify_quiet`.
            self.run.quiet.push(TestId(0), instance, class, &self.draft.name, outcome);
            if self.dialect.hostname_is_variant {
                self.legs.of_quiet.push(self.stack.last().map_or(0, |top| top.leg));
            }
            return;
        }
        let id = self.identify(suite, class);
        let suite_name = &self.suites.texts[suite as usize];
        let case = self.draft.finish(id, suite_name, self.budget, self.dialect.lines_from_zero);
        self.budget.used += Budget::weigh(&case);
        self.bad_seen += case.bad_attempts() as u64;
        self.run.totals.count(case.outcome());
        let instance = self.stack.last().map_or(0, |top| top.instance);
        self.order.push(Position {
            quiet_before: self.run.quiet.len(),
            suite_element: instance,
            declares_file: self.draft.declares_file(),
        });
        self.run.cases.push(case);
        if self.dialect.hostname_is_variant {
            self.legs.of_cases.push(self.stack.last().map_or(0, |top| top.leg));
        }
    }

    fn identify(&self, suite: u32, class: u32) -> TestId {
        let suite = if self.dialect.suite_is_machine { "" } else { &self.canonical_suites[suite as usize] };
        Prefix::new(suite, &self.canonical_classes[class as usize]).test_id(&canonical(&self.draft.name))
    }

    /// Names the quiet cases, on all cores: in a large report this is a tenth of
    /// the work, and nothing needs it before the end.
    pub(super) fn identify_quiet(&mut self) {
        let machine = self.dialect.suite_is_machine;
        let (suites, classes) = (&self.canonical_suites, &self.canonical_classes);
        let elements = &self.run.suite_elements;
        self.run.quiet.identify(|| {
            let mut latest: Option<(u32, u32, Prefix)> = None;
            move |element, class, name| {
                let prefix = match latest {
                    Some((e, c, prefix)) if (e, c) == (element, class) => prefix,
                    _ => {
                        let suite = elements.get(element as usize).map_or("", |name| suites[*name as usize].as_str());
                        Prefix::new(if machine { "" } else { suite }, &classes[class as usize])
                    }
                };
                latest = Some((element, class, prefix));
                prefix.test_id(&canonical(name))
            }
        });
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
        if !self.case_seen && self.clues.properties.len() < 4096 {
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
        self.suite_kind = attribute(tag, "type");
        let message = attribute(tag, "message");
        self.suite_trouble.push(&message, DETAIL_LIMIT);
        self.suite_trouble.push("\n", DETAIL_LIMIT);
    }

    fn close_suite_trouble(&mut self) {
        let detail = self.suite_trouble.take();
        let suite = self.stack.last().map_or(0, |top| top.suite);
        let name = self.suites.texts[suite as usize].clone();
        let mut tag = BytesStart::new("error");
        tag.push_attribute(("type", self.suite_kind.as_str()));
        self.draft.start(&BytesStart::new("testcase"));
        self.draft.name.push_str("(the suite itself)");
        self.draft.classname = name;
        self.draft.open_trouble(FailureElement::Error, false, &tag);
        self.draft.detail.push(detail.trim(), DETAIL_LIMIT);
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
    pub(super) fn place(&self) -> String {
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
}

/// The cleaned value of one attribute; empty where it is missing.
pub(super) fn attribute(tag: &BytesStart<'_>, key: &str) -> String {
    attributes(tag)
        .find(|(name, _)| *name == key)
        .map(|(_, value)| clean(head(&unescape(value), NAME_LIMIT)).into_owned())
        .unwrap_or_default()
}

fn is_retry(trouble: FailureElement) -> bool {
    matches!(trouble, FailureElement::RetryFailure | FailureElement::RetryError)
}
