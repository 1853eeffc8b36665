//! Tests that do not count for a while: a file in the repository, which people and other
//! tools read and write as well. On the default branch alone it counts; what a pull
//! request brings along does not.

use std::fmt::Write;

use serde::Deserialize;

use crate::model::test::{TestCase, TestId};
use crate::model::time::Timestamp;
use crate::plan::action::{Action, CommitDraft, FileText, Person, Plan, Planned, Precondition};
use crate::plan::marker::{self, RepairState, VERSION, digest};
use crate::plan::planner::offer;
use crate::plan::policy::Day;
use crate::render::markdown::spans;
use crate::render::message::heal;

/// Where it stands.
pub const PATH: &str = ".github/testmedic-quarantine.toml";

/// What a new file begins with.
const HEAD: &str = "# Tests that do not count until a day, each with who answers for it. Other tools may read this;\n# `/quarantine TEST` and `/unquarantine TEST` in a comment of a pull request write it.\n";
/// Begin of an entry.
const ENTRY: &str = "[[test]]";
/// Entries that are read.
const MOST: usize = 500;

/// One test.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// The `name` of the case.
    pub name: String,
    /// Its `classname`; any where there is none.
    #[serde(default)]
    pub classname: String,
    /// The last day (UTC) on which it does not count.
    pub until: Day,
    /// The day on which it was put there.
    #[serde(default)]
    pub since: Option<Day>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: String,
    /// Why.
    #[serde(default)]
    pub because: String,
    /// The test's id, with which its later runs are found.
    #[serde(default)]
    pub id: String,
}

impl Entry {
    /// Whether it is about a case.
    #[must_use]
    pub fn is_about(&self, case: &TestCase) -> bool {
        if let Some(id) = TestId::parse(&self.id) {
            return id == case.id;
        }
        self.name == case.name.name.raw() && (self.classname.is_empty() || self.classname == case.name.classname.raw())
    }

    /// Whether it counts at a moment.
    #[must_use]
    pub fn counts(&self, at: Timestamp) -> bool {
        at <= self.until.end()
    }

    /// What it is called, for people.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {}", self.classname, self.name).trim().to_owned()
    }
}

/// A change of the file that is offered.
#[derive(Clone, Debug)]
pub struct Proposal<'a> {
    /// What it does, in a line.
    pub title: &'a str,
    /// Why, in a line.
    pub because: &'a str,
    /// The whole new text.
    pub text: String,
    /// The default branch.
    pub base: &'a str,
    /// The commit at it.
    pub head: &'a str,
    /// Who signs the commit; the token's own identity where nobody is named.
    pub author: Option<Person>,
    /// What it is about, for people.
    pub about: &'a str,
}

/// Offers a change of the file on a branch of its own, as a pull request.
#[must_use]
pub fn propose(of: &Proposal<'_>) -> Plan {
    let branch = offer::branch_name("quarantine", &digest(&format!("{}\n{}", of.title, of.text)), of.head);
    let inert = heal::inert(of.title, 150);
    let draft = CommitDraft {
        message: format!("{inert}\n\n{}\n", heal::inert(of.because, 300)),
        files: vec![FileText { path: PATH.to_owned(), text: of.text.clone(), executable: false }],
    };
    let push_id = format!("push-branch:{branch}");
    let planned = |action: Action, id: String, title: String, guards: Vec<Precondition>| Planned {
        id,
        action,
        because: of.because.to_owned(),
        title,
        target: of.about.to_owned(),
        guards,
        receipt: None,
    };
    let push = Action::PushBranch {
        branch: branch.clone(),
        parent: of.head.to_owned(),
        commits: vec![draft],
        author: of.author.clone(),
    };
    let state = RepairState { v: VERSION, branch: branch.clone(), edit: digest(&of.text) };
    let body =
        format!("{}\n{}\n\n{}\n", marker::write(marker::REPAIR, &state), spans(of.title, 300), spans(of.because, 300));
    let open = Action::OpenPullRequest { branch: branch.clone(), base: of.base.to_owned(), title: inert, body };
    let actions = vec![
        planned(
            push,
            push_id.clone(),
            "push the change".to_owned(),
            vec![Precondition::NoBranch { branch: branch.clone() }],
        ),
        planned(
            open,
            format!("open-pull-request:{branch}"),
            of.title.to_owned(),
            vec![Precondition::AfterAction { action: push_id }, Precondition::NoPullFrom { branch }],
        ),
    ];
    Plan { actions, withheld: Vec::new() }
}

/// Reads the file: its entries, and what is wrong with others. One that cannot be read
/// costs itself alone: its test counts.
#[must_use]
pub fn read(text: &str) -> (Vec<Entry>, Vec<String>) {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            return (Vec::new(), vec![format!("{PATH} cannot be read, so nothing is in quarantine: {error}")]);
        }
    };
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    let all = table.get("test").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (at, value) in all.iter().take(MOST).enumerate() {
        match value.clone().try_into::<Entry>() {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                let error = error.to_string();
                let why = error.lines().next().unwrap_or_default();
                wrong.push(format!("{PATH}: entry {} is left out: {why}", at + 1));
            }
        }
    }
    if all.len() > MOST {
        wrong.push(format!("{PATH}: only the first {MOST} of {} entries count", all.len()));
    }
    (entries, wrong)
}

/// The file with one more entry, in the place of one about the same test; what people
/// wrote stays as it is.
#[must_use]
pub fn with(text: Option<&str>, entry: &Entry, is_same: &dyn Fn(&Entry) -> bool) -> String {
    let mut out = without(text.unwrap_or(HEAD), is_same);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    let _ = write!(out, "\n{ENTRY}\n");
    let day = |day: Day| day.to_string();
    let fields = [
        ("name", entry.name.clone()),
        ("classname", entry.classname.clone()),
        ("until", day(entry.until)),
        ("since", entry.since.map(day).unwrap_or_default()),
        ("owner", entry.owner.clone()),
        ("because", entry.because.clone()),
        ("id", entry.id.clone()),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(out, "{name} = {}", quoted(value));
    }
    out
}

/// The file without the entries that are meant.
#[must_use]
pub fn without(text: &str, is_meant: &dyn Fn(&Entry) -> bool) -> String {
    let mut out = String::new();
    for (is_entry, block) in blocks(text) {
        let entry = is_entry.then(|| read(block).0.into_iter().next()).flatten();
        if !entry.is_some_and(|entry| is_meant(&entry)) {
            out.push_str(block);
        }
    }
    let end = out.trim_end_matches('\n').len();
    out.truncate(end);
    out.push('\n');
    out
}

/// The parts of the file: what stands before the first entry, and each entry.
fn blocks(text: &str) -> Vec<(bool, &str)> {
    let is_header = |line: &str| line.trim_start().starts_with('[');
    let mut starts: Vec<(usize, bool)> = vec![(0, false)];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if is_header(line) {
            starts.push((at, line.trim_start().starts_with(ENTRY)));
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    starts.iter().zip(ends).map(|((from, is_entry), to)| (*is_entry, &text[*from..to])).collect()
}

/// A basic string of TOML, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    let clean = crate::model::text::clean(text);
    serde_json::to_string(clean.as_ref()).unwrap_or_default().replace('\u{7f}', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, until: &str) -> Entry {
        let text = format!("[[test]]\nname = {}\nuntil = \"{until}\"\n", quoted(name));
        read(&text).0.remove(0)
    }

    #[test]
    fn what_people_wrote_stays() {
        let theirs = "# ours\n\n[[test]] # Bob's\nname = \"a\"\nuntil = \"2026-01-01\"\nticket = 7\n\n[[test]]\nname = \"b\"\nuntil = \"2026-01-02\"\n";
        let both = with(Some(theirs), &entry("c \"x\"\u{202e}", "2026-05-01"), &|e| e.name == "b");
        assert!(
            both.starts_with("# ours\n\n[[test]] # Bob's\nname = \"a\"\nuntil = \"2026-01-01\"\nticket = 7\n"),
            "{both}"
        );
        let names: Vec<String> = read(&both).0.into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["a", "c \"x\""], "{both}");
        assert_eq!(read(&without(&both, &|e| e.name.starts_with('c'))).0.len(), 1);
        let new = with(None, &entry("d", "2026-05-01"), &|_| false);
        assert!(new.starts_with("# Tests that do not count") && read(&new).0 == [entry("d", "2026-05-01")], "{new}");
    }

    #[test]
    fn what_cannot_be_read_counts() {
        let (entries, wrong) = read(
            "[[test]]\nname = \"a\"\n[[test]]\nname = \"b\"\nuntil = \"2026-13-01\"\n[[test]]\nname = \"c\"\nuntil = \"2026-01-01\"\n",
        );
        assert_eq!((entries.len(), wrong.len()), (1, 2), "{wrong:?}");
        assert!(wrong[0].contains("entry 1") && wrong[0].contains("until"), "{wrong:?}");
        assert!(read("[[test").1[0].contains("nothing is in quarantine"));
        let last = entry("a", "2026-05-01");
        assert!(last.counts("2026-05-01T23:59:59Z".parse().unwrap()));
        assert!(!last.counts("2026-05-02T00:00:00Z".parse().unwrap()));
    }

    proptest::proptest! {
        #[test]
        fn any_name_comes_back(name in "\\PC{1,60}", old in "[a-z\\[\\]\"=\n# ]{0,80}") {
            let own = Entry { name: crate::model::text::clean(&name).into_owned(), ..entry("x", "2026-05-01") };
            let text = with(None, &own, &|_| false);
            proptest::prop_assert_eq!(&read(&text).0[0].name, &own.name);
            let _ = (read(&old), without(&old, &|_| true), with(Some(&old), &own, &|_| false));
        }
    }
}
