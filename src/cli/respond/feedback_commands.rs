//! Commands by which people say something: words about tests and failures, and the
//! quarantine.

use super::context::CommandContext;
use super::dispatch::{Answer, has_links, receipts};
use super::run_lookup::select;
use crate::adapters::store::sqlite::TestRecord;
use crate::cli::job::Evaluated;
use crate::history::feedback::{Feedback, FeedbackKind};
use crate::model::command::Expiry;
use crate::model::test::TestId;
use crate::model::time::Timestamp;
use crate::pipeline::chain;
use crate::plan::action::Plan;
use crate::plan::policy::Day;
use crate::plan::quarantine::{self, Entry};
use crate::plan::{feedback_issue, quarantine::Proposal};
use crate::ports::Forge;
use crate::render::markdown::{code, fence, spans};
use crate::render::message::full_name;
use crate::render::message::reply::CommandStatus;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Tests of the same name that are listed.
const LISTED: usize = 5;

/// A test that a person names.
pub(super) struct ResolvedTest {
    pub id: TestId,
    pub classname: String,
    pub name: String,
}

impl ResolvedTest {
    fn full(&self) -> String {
        format!("{} {}", self.classname, self.name).trim().to_owned()
    }
}

/// The test that is meant: one that failed in the run, or one that the history knows.
pub(super) fn named(looked: &Evaluated, wanted: &str) -> Result<ResolvedTest, String> {
    let found = &looked.triage.found;
    let cases = found.diagnoses.iter().flat_map(|d| &d.members).map(|member| found.case(*member));
    let mut all: Vec<ResolvedTest> = Vec::new();
    for case in cases.filter(|case| case.is_called(wanted)) {
        if !all.iter().any(|known| known.id == case.id) {
            let (classname, name) = (case.name.classname.raw().to_owned(), case.name.name.raw().to_owned());
            all.push(ResolvedTest { id: case.id, classname, name });
        }
    }
    if all.is_empty() {
        all = remembered(looked, wanted)?;
    }
    let is_it = |named: &ResolvedTest| named.name == wanted || named.full() == wanted || named.id.to_string() == wanted;
    if all.len() > 1 && all.iter().filter(|named| is_it(named)).count() == 1 {
        all.retain(is_it);
    }
    match all.len() {
        0 => Err(format!("no test is called `{wanted}`, neither among those that failed nor in the history")),
        1 => Ok(all.remove(0)),
        many => {
            let names: Vec<String> = all.iter().take(LISTED).map(|named| format!("`{}`", named.full())).collect();
            Err(format!("{many} tests are called like that: {}", names.join(", ")))
        }
    }
}

/// Tests of the history. Who writes `FILE::NAME` means the class that is called like the
/// file.
fn remembered(looked: &Evaluated, wanted: &str) -> Result<Vec<ResolvedTest>, String> {
    let Some(store) = &looked.store else { return Ok(Vec::new()) };
    let shown = |text: &str| store.show(text, LISTED + 1).map_err(|problem| chain(&problem));
    let mut found = shown(wanted)?;
    if found.is_empty()
        && let Some((file, rest)) = wanted.split_once("::")
    {
        let own = rest.rsplit("::").next().unwrap_or(rest);
        let module = file.rsplit_once('.').map_or(file, |(stem, _)| stem).replace('/', ".");
        found = shown(own)?;
        found.retain(|test: &TestRecord| test.class.starts_with(&module));
    }
    let named = |test: TestRecord| ResolvedTest { id: test.id, classname: test.class, name: test.name };
    Ok(found.into_iter().map(named).collect())
}

/// The moment at which something ends.
fn end(now: Timestamp, until: Option<&Expiry>, default: u32) -> Result<Day, String> {
    let day = match until {
        Some(Expiry::Day(day)) => Day::parse(day).ok_or_else(|| format!("`{day}` is no day"))?,
        Some(Expiry::Days(days)) => Day::of(Timestamp::from_unix(now.unix() + i64::from(*days) * DAY)),
        None => Day::of(Timestamp::from_unix(now.unix() + i64::from(default) * DAY)),
    };
    if day.end() < now {
        return Err(format!("{day} is over"));
    }
    if day.end().unix() > now.unix() + 367 * DAY {
        return Err("that is more than a year from now".to_owned());
    }
    Ok(day)
}

/// Keeps that a test is flaky, or that it is not.
pub(super) fn about_test(hearing: &mut CommandContext<'_>, told: FeedbackKind, test: &str) -> Answer {
    let looked = hearing.look(None)?;
    let named = named(&looked, test)?;
    say(hearing, told, named.id.to_string(), named.full(), None)
}

/// Keeps that a failure is expected, or that nothing is to be said about it.
pub(super) fn about_failure(
    hearing: &mut CommandContext<'_>,
    told: FeedbackKind,
    key: &str,
    until: Option<&Expiry>,
) -> Answer {
    let until = match told {
        FeedbackKind::Ignored => Some(end(hearing.now(), until, hearing.policy.commands.ignore_days)?.end()),
        _ => None,
    };
    let looked = hearing.look(None)?;
    let found = &looked.triage.found;
    let Some(d) = select(found, key) else {
        return Err(format!("no failure of this run has the key `{key}`; `/explain` lists them"));
    };
    let name = format!("{} {}", d.id, d.title.raw());
    say(hearing, told, d.id.clone(), name, until)
}

fn say(
    hearing: &mut CommandContext<'_>,
    told: FeedbackKind,
    about: String,
    name: String,
    until: Option<Timestamp>,
) -> Answer {
    if !hearing.policy.issues.enabled {
        return Err(
            "what people say is kept in an issue, and the policy switches issues off (`issues.enabled`)".to_owned()
        );
    }
    let issues = hearing.forge.issues().map_err(|t| t.to_string())?;
    let word = Feedback { told, about, name, by: hearing.login.clone(), at: hearing.now(), until };
    let planned = feedback_issue::record_feedback(&issues, &word, &hearing.policy.issues.labels, hearing.now());
    let mut plan = Plan { actions: vec![planned], withheld: Vec::new() };
    hearing.carry_out(&mut plan)?;
    let until = until.map(|until| format!(" until {}", until.date())).unwrap_or_default();
    let text = format!(
        "{}: {} {}{until}. The next runs hear it.\n\n{}",
        code(&word.name, 200),
        code(&word.by, 60),
        told.says(),
        receipts(&plan)
    );
    let mark = if hearing.is_done(&plan) {
        if has_links(&plan) { CommandStatus::Made } else { CommandStatus::Done }
    } else {
        CommandStatus::Refused
    };
    Ok((mark, text))
}

/// Offers to put a test into quarantine.
pub(super) fn quarantine(hearing: &mut CommandContext<'_>, test: &str, until: Option<&Expiry>) -> Answer {
    let day = end(hearing.now(), until, hearing.policy.commands.quarantine_days)?;
    let looked = hearing.look(None)?;
    let named = named(&looked, test)?;
    let because = looked.triage.found.diagnoses.iter().find_map(|d| {
        let own = d.members.iter().map(|m| looked.triage.found.case(*m)).find(|case| case.id == named.id)?;
        Some(format!("{}: {}", d.verdict.word(), crate::render::terminal::line(&full_name(own), 120)))
    });
    let entry = Entry {
        name: named.name.clone(),
        classname: named.classname.clone(),
        until: day,
        since: Some(Day::of(hearing.now())),
        owner: hearing.login.clone(),
        because: because.unwrap_or_default(),
        id: named.id.to_string(),
    };
    let text = quarantine_file(hearing)?;
    let is_same = |old: &Entry| old.id == entry.id || (old.name == entry.name && old.classname == entry.classname);
    let new = quarantine::with(text.as_deref(), &entry, &is_same);
    let title = format!("Put {} into quarantine until {day}", crate::render::terminal::line(&named.name, 100));
    propose(
        hearing,
        &title,
        &named.full(),
        &new,
        &format!("until {day} it does not count in the sense of `--fail-on regression`"),
    )
}

/// Offers to count a test again.
pub(super) fn unquarantine(hearing: &mut CommandContext<'_>, test: &str) -> Answer {
    let Some(text) = quarantine_file(hearing)? else {
        return Err(format!("nothing is in quarantine: there is no `{}`", quarantine::PATH));
    };
    let (entries, _) = quarantine::read(&text);
    let own = test.rsplit("::").next().unwrap_or(test);
    let is_it = |entry: &Entry| entry.full_name().contains(test) || entry.name == own || entry.id == test;
    let meant: Vec<&Entry> = entries.iter().filter(|entry| is_it(entry)).collect();
    let [entry] = meant.as_slice() else {
        let names: Vec<String> = entries.iter().take(LISTED).map(|e| format!("`{}`", e.full_name())).collect();
        let why =
            if meant.is_empty() { "no test in quarantine is called like that" } else { "several are called like that" };
        return Err(format!("{why}; in it are {}", names.join(", ")));
    };
    let new = quarantine::without(&text, &|old| old == *entry);
    let title = format!("Take {} out of quarantine", crate::render::terminal::line(&entry.name, 100));
    let name = entry.full_name();
    propose(hearing, &title, &name, &new, "it counts again")
}

fn quarantine_file(hearing: &CommandContext<'_>) -> Result<Option<String>, String> {
    hearing.forge.file(quarantine::PATH, &hearing.scene.default_branch).map_err(|t| t.to_string())
}

fn propose(hearing: &mut CommandContext<'_>, title: &str, name: &str, text: &str, then: &str) -> Answer {
    let base = hearing.scene.default_branch.clone();
    let head = hearing.forge.branch(&base).map_err(|t| t.to_string())?;
    let head = head.ok_or_else(|| format!("the branch `{base}` is not there"))?;
    let asked = format!("Asked for by {} in #{}.", hearing.login, hearing.remark.on);
    let mut plan = quarantine::propose(&Proposal {
        title,
        because: &asked,
        text: text.to_owned(),
        base: &base,
        head: &head,
        author: hearing.policy.heal.author(),
        about: name,
    });
    hearing.carry_out(&mut plan)?;
    let mut out = format!("{}: with this change {}.\n\n{}", code(name, 200), spans(then, 200), receipts(&plan));
    if !hearing.is_done(&plan) {
        out.push_str(&format!("\n`{}` would then be:\n\n{}", quarantine::PATH, fence(text, 4000)));
        return Ok((CommandStatus::Refused, out));
    }
    Ok((if has_links(&plan) { CommandStatus::Made } else { CommandStatus::Done }, out))
}
