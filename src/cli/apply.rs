//! `testmedic apply`: carries out a plan that another job saved.

use std::collections::{BTreeSet, HashMap};

use crate::adapters::actions_env::ActionsEnv;
use crate::adapters::files;
use crate::adapters::github::{GitHub, read_or_note};
use crate::adapters::system::print;
use crate::apply;
use crate::cli::respond::CommandContext;
use crate::cli::{ApplyArgs, ForgeArgs, job};
use crate::error::{Problem, exit};
use crate::model::forge::{RunContext, TRUSTED_EVENTS, Trigger};
use crate::plan::action::{Action, ActionResult, Plan, Precondition};
use crate::plan::marker::digest;
use crate::plan::plan_file::{self, SavedPlan};
use crate::plan::plan_validation::{PlanOrigin, is_path, validate};
use crate::plan::planner::comment;
use crate::plan::policy::{self, Policy};
use crate::plan::preview;
use crate::ports::ForgeError;
use crate::render::terminal::line;

pub(super) fn apply(args: &ApplyArgs) -> Result<u8, Problem> {
    let size = args.file.metadata().map_or(0, |m| m.len());
    if size > plan_file::LIMIT {
        return Err(Problem::usage(format!("{} is larger than {} MB", args.file.display(), plan_file::LIMIT >> 20)));
    }
    let text = files::read_text(&args.file)?;
    let around = ActionsEnv::read()?.ok_or_else(|| {
        Problem::usage("where the plan is to be carried out is not known")
            .hint("`apply` runs in a workflow, or with GITHUB_REPOSITORY, GITHUB_SHA, GITHUB_REF_NAME, GITHUB_EVENT_NAME and GITHUB_TOKEN set")
    })?;
    let plan = carry_out(&[text], &args.forge, &around, args.dry_run)?;
    let failed = plan.actions.iter().any(|p| matches!(p.receipt, Some(ActionResult::Failed(_))));
    let refused = plan.withheld.iter().any(|w| w.reason.starts_with("refused"));
    Ok(if failed || refused { exit::COULD_NOT } else { exit::DONE })
}

/// Admits and carries out saved plans, and prints what came of them.
pub(super) fn carry_out(
    texts: &[String],
    args: &ForgeArgs,
    around: &ActionsEnv,
    dry_run: bool,
) -> Result<Plan, Problem> {
    let mut scene = around.scene(None).ok_or_else(|| {
        Problem::usage("the repository or the commit is not known").hint("GITHUB_REPOSITORY and GITHUB_SHA tell them")
    })?;
    let mut forge = job::connect(args, around, &scene)?.ok_or_else(|| {
        Problem::usage("there is no token to write with")
            .hint("pass `github-token: ${{ github.token }}`, or set GITHUB_TOKEN")
    })?;
    if scene.default_branch.is_empty() {
        scene.default_branch = forge.default_branch().map_err(|t| could_not("the default branch", t))?;
    }
    let policy = policy(args, &forge, &scene)?;
    let plans = parse(texts)?;
    let source = source(&plans, around, &scene, &forge)?;
    let mut all = validate(&plans, &source, &policy);
    join_comment(&mut all, &source, &forge)?;
    if !dry_run {
        apply::apply(&mut all, &source.rules(), &mut forge);
    }
    print(&preview::preview(&all))?;
    for note in forge.take_notes() {
        print(&format!("note  {}\n", line(&note, 400)))?;
    }
    Ok(all)
}

/// The plans that can be read; one that cannot does not stop the others.
pub(super) fn parse(texts: &[String]) -> Result<Vec<SavedPlan>, Problem> {
    let mut plans = Vec::new();
    let mut last = None;
    for text in texts {
        match SavedPlan::parse(text) {
            Ok(plan) => plans.push(plan),
            Err(error) => {
                print(&format!("note  a plan was left out: {}\n", line(&error.to_string(), 300)))?;
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if plans.is_empty() => Err(Problem::failed("the plan cannot be carried out").because(error)),
        _ => Ok(plans),
    }
}

/// The sticky comment that is there already keeps the parts of other legs.
pub(super) fn join_comment(plan: &mut Plan, source: &PlanOrigin, forge: &GitHub) -> Result<(), Problem> {
    let Some(pull) = source.pull else { return Ok(()) };
    for planned in &mut plan.actions {
        let Action::Comment { on, key, edit, body } = &mut planned.action else { continue };
        if *on != pull {
            continue;
        }
        let comments = forge.reader().comments(pull).map_err(|t| could_not("the comments of the pull request", t))?;
        let there = comments.iter().filter(|c| c.key().as_deref() == Some(key.as_str())).min_by_key(|c| c.id);
        let Some(there) = there else { continue };
        if let Some(united) = comment::unite(&[&there.body, body], &source.head) {
            *body = united;
        }
        *edit = Some(there.id);
        planned.guards =
            vec![Precondition::CommentIs { on: pull, id: there.id, key: key.clone(), digest: digest(&there.body) }];
    }
    Ok(())
}

fn could_not(what: &str, trouble: ForgeError) -> Problem {
    Problem::failed(format!("{what} could not be read")).because(trouble)
}

/// The policy, from the default branch.
pub(super) fn policy(args: &ForgeArgs, forge: &GitHub, scene: &RunContext) -> Result<Policy, Problem> {
    let text = match &args.config {
        Some(path) => Some(files::read_text(path)?),
        None => forge.file(policy::PATH, &scene.default_branch).map_err(|t| could_not("the policy", t))?,
    };
    let bad = |e| Problem::failed(format!("nothing is written: the policy {} cannot be read", policy::PATH)).because(e);
    text.map_or(Ok(Policy::default()), |text| Policy::parse(&text).map_err(bad))
}

/// Where the plan came from, as GitHub tells it: nothing of it is taken from
/// the plan itself.
fn source(plans: &[SavedPlan], around: &ActionsEnv, scene: &RunContext, forge: &GitHub) -> Result<PlanOrigin, Problem> {
    let (pull, default_branch) = match &around.event.occasion {
        Trigger::WorkflowRun(ended) => {
            let own = ended.head_repository.as_ref().is_some_and(|head| head.same(&scene.repository));
            let on_pull = ended.event.starts_with("pull_request");
            let owner = ended.head_repository.as_ref().map_or("", |slug| slug.owner());
            let pull = match (on_pull, owner) {
                (false, _) | (_, "") => None,
                _ => forge
                    .pull_at(owner, &ended.head_branch, &ended.head_sha)
                    .map_err(|t| could_not("the pull request of the run", t))?,
            };
            (pull, own && TRUSTED_EVENTS.contains(&ended.event.as_str()) && ended.head_branch == scene.default_branch)
        }
        _ => (scene.pull.clone(), scene.is_default_branch()),
    };
    let reviews = plans.iter().flat_map(|plan| &plan.actions).any(|item| matches!(item.action, Action::Review { .. }));
    let changed = match &pull {
        Some(pull) if reviews => forge.diff(pull.number).map_err(|t| could_not("the diff of the pull request", t))?,
        _ => Vec::new(),
    };
    let head = match (&around.event.occasion, &pull) {
        (Trigger::WorkflowRun(ended), _) => ended.head_repository.as_ref(),
        (_, Some(pull)) => pull.head_repository.as_ref(),
        _ => Some(&scene.repository),
    };
    let own_branch = head.is_some_and(|head| head.same(&scene.repository));
    Ok(PlanOrigin {
        own_branch,
        attempt: scene.attempt,
        workflow: scene.workflow.clone(),
        run: scene.run,
        repository: scene.repository.clone(),
        server: scene.server.clone(),
        head: scene.head.clone(),
        // A fork's plan may bring no code: nothing of it is looked at.
        texts: if own_branch { texts(plans, &scene.head, forge) } else { HashMap::new() },
        head_ref: match &pull {
            Some(pull) => Some(pull.head_ref.clone()),
            None => default_branch.then(|| scene.default_branch.clone()),
        },
        pull: pull.map(|p| p.number),
        default_branch,
        changed: changed.into_iter().map(|file| file.path).collect(),
        reply: None,
    })
}

/// Where the plan came from that answers a command: the thread as it is now, and the run
/// that was judged for it, which must be one of the thread's commit.
pub(super) fn source_of_comment(
    plans: &[SavedPlan],
    judged: u64,
    hearing: &CommandContext<'_>,
) -> Result<PlanOrigin, Problem> {
    let (forge, scene) = (&hearing.forge, &hearing.scene);
    let run = forge.ended_run(judged).map_err(|t| could_not("the run that was judged", t))?;
    let pull = hearing.thread.pull.as_ref();
    let is_default = run.head_branch == scene.default_branch && TRUSTED_EVENTS.contains(&run.event.as_str());
    let fits = pull.map_or(is_default, |pull| pull.head_sha == run.head_sha);
    if !fits {
        return Err(Problem::failed(format!("run {judged} is none of the commit of this thread")));
    }
    let head_repository = pull.map_or(run.head_repository.as_ref(), |pull| pull.head_repository.as_ref());
    let own_branch = head_repository.is_some_and(|head| head.same(&scene.repository));
    let reviews = plans.iter().flat_map(|plan| &plan.actions).any(|item| matches!(item.action, Action::Review { .. }));
    let changed = match pull {
        Some(pull) if reviews => forge.diff(pull.number).map_err(|t| could_not("the diff of the pull request", t))?,
        _ => Vec::new(),
    };
    Ok(PlanOrigin {
        own_branch,
        attempt: run.attempt,
        workflow: run.workflow_file.clone(),
        run: Some(judged),
        repository: scene.repository.clone(),
        server: scene.server.clone(),
        texts: if own_branch { texts(plans, &run.head_sha, forge) } else { HashMap::new() },
        head: run.head_sha,
        head_ref: Some(pull.map_or_else(|| scene.default_branch.clone(), |pull| pull.head_ref.clone())),
        pull: pull.map(|pull| pull.number),
        default_branch: pull.is_none(),
        changed: changed.into_iter().map(|file| file.path).collect(),
        reply: Some((hearing.to.on, crate::plan::reply::key(hearing.to.remark), hearing.to.by.clone())),
    })
}

/// Files that plans of one run would change, at most.
const TEXTS: usize = 100;

/// Texts of the tested commit at the paths that plans would change.
fn texts(plans: &[SavedPlan], head: &str, forge: &GitHub) -> HashMap<String, String> {
    let mut paths: BTreeSet<&str> = BTreeSet::new();
    for item in plans.iter().flat_map(|plan| &plan.actions) {
        match &item.action {
            Action::PushBranch { commits, .. } => {
                paths.extend(commits.iter().flat_map(|c| &c.files).map(|f| f.path.as_str()));
            }
            Action::Review { comments, .. } => {
                let suggesting = comments.iter().filter(|c| c.body.contains("suggestion"));
                paths.extend(suggesting.map(|c| c.path.as_str()));
            }
            _ => {}
        }
    }
    let mut texts = HashMap::new();
    for path in paths.into_iter().filter(|path| is_path(path)).take(TEXTS) {
        // What cannot be read is not admitted, and the rest is.
        let text = read_or_note(forge, &format!("`{}`", line(path, 200)), |f| f.file(path, head)).flatten();
        texts.extend(text.map(|text| (path.to_owned(), text)));
    }
    texts
}
