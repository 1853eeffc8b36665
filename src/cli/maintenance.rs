//! What a schedule without tests of its own does: judges the latest run of the default
//! branch once more, so that issues which recovered close; offers to take tests out of
//! quarantine that have recovered; keeps the digest of the week.

use crate::adapters::actions_env::ActionsEnv;
use crate::adapters::github::{GitHub, read_or_note};
use crate::adapters::store::sqlite::{SqliteStore, TestRecord};
use crate::adapters::system::{self, print};
use crate::apply;
use crate::cli::job::TriageRun;
use crate::cli::{TriageArgs, apply as saved, job};
use crate::error::{Problem, exit};
use crate::model::forge::{CompletedRun, RunContext, Trigger};
use crate::model::test::{Outcome, TestId};
use crate::model::time::Timestamp;
use crate::pipeline::chain;
use crate::plan::action::{ActionResult, Plan};
use crate::plan::policy::Policy;
use crate::plan::quarantine::{self, Entry, Proposal};
use crate::plan::texts::TextRules;
use crate::plan::{maintenance, preview};
use crate::ports::{Forge, HistoryStore};
use crate::render::message::digest::{FlakyRow, WeeklyDigest};
use crate::render::terminal::line;

/// Runs that are looked into for reports.
const RUNS: usize = 5;
/// Offers to take tests out of quarantine, in one run.
const OFFERS: usize = 5;

pub(super) fn tidy(args: &TriageArgs, around: &ActionsEnv, colour: bool) -> Result<u8, Problem> {
    let mut scene = around.scene(None).ok_or_else(|| Problem::usage("the repository or the commit is not known"))?;
    let mut forge = job::connect(&args.forge, around, &scene)?.ok_or_else(|| {
        Problem::usage("there is no token to tidy with").hint("pass `github-token: ${{ github.token }}`")
    })?;
    if scene.default_branch.is_empty() {
        scene.default_branch =
            forge.default_branch().map_err(|t| Problem::failed("the default branch could not be read").because(t))?;
    }
    let policy = saved::policy(&args.forge, &forge, &scene)?;
    judge(args, around, &scene, &forge, colour)?;
    let now = args.now.unwrap_or_else(system::now);
    let store = args.history.path()?.map(|path| SqliteStore::open_existing(&path)).transpose()?.flatten();
    let entries = entries(&forge, &scene)?;
    let mut plan = Plan::default();
    if let Some(store) = &store {
        plan.extend(offers(&forge, &scene, &policy, (&entries, store))?);
        if let Some(issues) = read_or_note(&forge, "the issues", Forge::issues).filter(|_| policy.issues.enabled) {
            let week = week(store, &issues, &entries, &scene, now)?;
            plan.extend(maintenance::digest_of(&week, &issues, &scene, &policy.issues.labels, now));
        }
    }
    if args.apply {
        apply::apply(&mut plan, &TextRules::of_this_run(&scene), &mut forge);
    }
    print(&preview::preview(&plan))?;
    for note in forge.take_notes() {
        print(&format!("note  {}\n", line(&note, 400)))?;
    }
    let failed = plan.actions.iter().any(|p| matches!(p.receipt, Some(ActionResult::Failed(_))));
    Ok(if failed { exit::COULD_NOT } else { exit::DONE })
}

/// Judges the latest run of the default branch that left reports.
fn judge(
    args: &TriageArgs,
    around: &ActionsEnv,
    scene: &RunContext,
    forge: &GitHub,
    colour: bool,
) -> Result<(), Problem> {
    let branch = &scene.default_branch;
    let runs =
        forge.runs_of(None, Some(branch)).map_err(|t| Problem::failed("the runs could not be read").because(t))?;
    let is_it = |run: &CompletedRun| run.is_of_default(&scene.repository, branch) && Some(run.id) != around.run;
    let mut last = "no run of the default branch is done".to_owned();
    for ended in runs.into_iter().filter(is_it).take(RUNS) {
        let around = ActionsEnv {
            event: crate::model::forge::Event {
                occasion: Trigger::WorkflowRun(Box::new(ended)),
                ..around.event.clone()
            },
            ..around.clone()
        };
        match TriageRun::prepare(args, Some(&around)) {
            Ok(job) => return job.learning().run(args, None).show(args, colour),
            Err(problem) => last = chain(&problem),
        }
    }
    print(&format!("note  nothing was judged: {}\n", line(&last, 400)))
}

fn entries(forge: &GitHub, scene: &RunContext) -> Result<Vec<Entry>, Problem> {
    let text = forge
        .file(quarantine::PATH, &scene.default_branch)
        .map_err(|t| Problem::failed("the quarantine could not be read").because(t))?;
    let (entries, wrong) = text.map(|text| quarantine::read(&text)).unwrap_or_default();
    for note in wrong {
        print(&format!("note  {}\n", line(&note, 400)))?;
    }
    Ok(entries)
}

/// Offers to count tests again that have recovered.
fn offers(
    forge: &GitHub,
    scene: &RunContext,
    policy: &Policy,
    (entries, store): (&[Entry], &SqliteStore),
) -> Result<Plan, Problem> {
    let tests: Vec<TestId> = entries.iter().filter_map(|entry| TestId::parse(&entry.id)).collect();
    let mut plan = Plan::default();
    if tests.is_empty() {
        return Ok(plan);
    }
    let history = store.history_of(&tests, &[])?;
    let base = &scene.default_branch;
    let could_not = |t| Problem::failed("the default branch could not be read").because(t);
    let (Some(head), Some(text)) =
        (forge.branch(base).map_err(could_not)?, forge.file(quarantine::PATH, base).map_err(could_not)?)
    else {
        return Ok(plan);
    };
    for found in maintenance::recovered(entries, &history, base, policy.issues.close_after).into_iter().take(OFFERS) {
        let because = format!("It passed {} times in a row since; {} prove it.", found.passes, found.needed);
        plan.extend(quarantine::propose(&Proposal {
            title: &format!("Take {} out of quarantine", line(&found.entry.name, 100)),
            because: &because,
            text: quarantine::without(&text, &|entry| entry == found.entry),
            base,
            head: &head,
            author: policy.heal.author(),
            about: &found.entry.full_name(),
        }));
    }
    Ok(plan)
}

/// What the last seven days brought.
fn week(
    store: &SqliteStore,
    issues: &[crate::plan::snapshot::BotIssue],
    entries: &[Entry],
    scene: &RunContext,
    now: Timestamp,
) -> Result<WeeklyDigest, Problem> {
    let begun = now.unix() - maintenance::WEEK;
    let is_now = |run: &crate::history::PastRun| run.branch == scene.default_branch && run.at.unix() > begun;
    let mut tests: Vec<FlakyRow> = Vec::new();
    store.export(|test: TestRecord| {
        let own = test.results.iter().filter(|r| is_now(&r.run) && r.outcome != Outcome::Skipped);
        let bad = own.clone().filter(|r| r.outcome.is_bad()).count() as u64;
        let flaky = own.clone().filter(|r| r.flaky).count() as u64;
        if bad + flaky > 0 {
            let name = format!("{} {}", test.class, test.name);
            tests.push(FlakyRow { name, ran: own.count() as u64, bad, flaky });
        }
        Ok(())
    })?;
    tests.sort_by(|a, b| (b.bad + b.flaky).cmp(&(a.bad + a.flaky)).then_with(|| a.name.cmp(&b.name)));
    let open = issues.iter().filter(|issue| issue.open && issue.state().is_some());
    let listed = |entry: &Entry| (entry.full_name(), entry.until.to_string(), entry.owner.clone(), !entry.counts(now));
    Ok(WeeklyDigest {
        runs: store.runs()?.into_iter().filter(is_now).collect(),
        tests,
        issues: open.map(|issue| (issue.number, issue.title.clone(), issue.url.clone())).collect(),
        quarantine: entries.iter().map(listed).collect(),
    })
}
