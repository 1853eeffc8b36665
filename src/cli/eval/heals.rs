//! Heals of worlds with a known truth: a repository, a change, and a test that fails after
//! it, because it is outdated or because the product is broken. Its tests are really run.

use std::path::Path;

use serde::Deserialize;

use crate::adapters::fixture_repo::{self, Files};
use crate::adapters::heal::RepoHealer;
use crate::agent::healer::result::{HealResult, Outcome};
use crate::error::Problem;
use crate::investigate::model_session::ModelContext;
use crate::plan::policy::Policy;
use crate::report::evaluation::{Came, HealOf};

/// A world, as its file tells it. What else stands there is for others.
#[derive(Debug, Deserialize)]
pub(super) struct HealScenario {
    /// Its files.
    files: Files,
    /// How often a healed test must pass.
    #[serde(default = "three")]
    repeat: u32,
    /// What happens in it.
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    truth: Truth,
    /// The name of the test that fails.
    test: String,
    /// File, old text, new text.
    #[serde(default)]
    edit: Vec<(String, String, String)>,
    /// Files that this case begins with.
    #[serde(default)]
    base: Files,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Truth {
    Outdated,
    Bug,
}

fn three() -> u32 {
    3
}

/// Heals in all cases of a world, by the rules and with a model beside them.
pub(super) fn judge(
    name: &str,
    world: &HealScenario,
    policy: &Policy,
    round: &dyn Fn() -> Option<ModelContext>,
) -> Result<Vec<HealOf>, Problem> {
    world.case.iter().map(|case| one(name, world, case, policy, round)).collect()
}

fn one(
    name: &str,
    world: &HealScenario,
    case: &Case,
    policy: &Policy,
    round: &dyn Fn() -> Option<ModelContext>,
) -> Result<HealOf, Problem> {
    let place = tempfile::tempdir().map_err(|e| Problem::failed("no temporary folder can be made").because(e))?;
    let called = format!("{name}/{}", case.name);
    let ward = ward(place.path(), world, case, policy, &called)?;
    let rules = healed(&ward, None)?;
    let round = round();
    let with_model = round.as_ref().map(|round| healed(&ward, Some(round))).transpose()?;
    let advice = with_model.as_ref().and_then(|healing| healing.advice.as_ref());
    Ok(HealOf {
        case: called,
        is_outdated: case.truth == Truth::Outdated,
        rules: came(&rules),
        guards: advice.map(|advice| advice.guards.iter().map(|g| g.name()).collect()).unwrap_or_default(),
        refused: advice.and_then(|advice| advice.refused.clone()),
        was_asked: advice.is_some(),
        with_model: with_model.as_ref().map(came),
        spent: round.map(|round| round.spent()).unwrap_or_default(),
    })
}

fn came(healing: &HealResult) -> Came {
    match healing.outcome {
        Outcome::Healed => Came::Healed,
        Outcome::Suggested => Came::Suggested,
        Outcome::Ask => Came::Asked,
        Outcome::Defect => Came::Refused,
        Outcome::GaveUp(_) => Came::GivenUp,
    }
}

fn ward(place: &Path, world: &HealScenario, case: &Case, policy: &Policy, called: &str) -> Result<RepoHealer, Problem> {
    let mut old: Files = world.files.clone();
    old.extend(case.base.clone());
    for text in old.values_mut() {
        // A text in TOML begins on the line below its quotes.
        *text = text.trim_start_matches('\n').to_owned();
    }
    let mut new = old.clone();
    for (path, before, after) in &case.edit {
        let text = new
            .get_mut(path)
            .filter(|text| text.contains(before.as_str()))
            .ok_or_else(|| Problem::usage(format!("{called}: `{path}` does not hold what `edit` replaces")))?;
        *text = text.replacen(before.as_str(), after, 1);
    }
    let top = place.join("repository");
    let states = [("The beginning", old), ("A change", new)];
    let git = fixture_repo::repository(&top, &fixture_repo::stream(&states))
        .ok_or_else(|| Problem::failed(format!("{called}: its repository cannot be made; is git installed?")))?;
    let commit = |revision: &str| git.resolve(revision).unwrap_or_default();
    let (head, base) = (commit("HEAD"), commit("HEAD~1"));
    Ok(RepoHealer {
        files: git.files_at(&head),
        top: git.top().unwrap_or(top),
        policy: policy.clone(),
        head,
        base: Some(base),
        insisted: None,
        only: vec![case.test.clone()],
        runner: None,
        repeat: world.repeat,
        seconds: None,
        git,
    })
}

fn healed(ward: &RepoHealer, round: Option<&ModelContext>) -> Result<HealResult, Problem> {
    let done = ward.heal_named(round)?;
    done.all.into_iter().next().map(|healed| healed.healing).ok_or_else(|| Problem::failed("no test was looked at"))
}
