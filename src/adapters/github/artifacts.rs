//! Earlier runs: which of them, which of their artifacts, downloaded and read.
//!
//! Calls: one for the runs of the default branch, one for those of the pull
//! request's branch, one for each hundred artifacts of the repository up to
//! [`ARTIFACT_PAGES`], and one for each artifact that the history does not hold
//! yet. Listing the artifacts of the whole repository instead of run by run is
//! what keeps a cold start with 100 runs at about 110 calls instead of 210.

use std::collections::{HashMap, HashSet};

use super::GitHub;
use super::objects::{Artifact, Artifacts, Run, Runs};
use crate::ingest::traffic::masking::Masker;
use crate::ingest::{archive, traffic};
use crate::model::exchange::Exchange;
use crate::model::forge::{RunContext, TRUSTED_EVENTS, percent};
use crate::model::run::{RunFacts, TestRun};
use crate::model::text::head;
use crate::model::time::Timestamp;
use crate::plan::policy::{ArtifactMatch, HistoryPolicy};
use crate::ports::ForgeError;

/// Pages of a hundred artifacts that are looked through.
const ARTIFACT_PAGES: u32 = 3;
/// Runs that are asked for their artifacts one by one where the list is too long.
const RUNS_ASKED: usize = 5;
/// Plans that are taken from one run.
const PLANS: usize = 30;
/// Runs of the pull request's own branch.
const OWN_RUNS: usize = 20;
/// The recording of `testmedic run`, in an artifact of reports.
const TRAFFIC: &str = "traffic.ndjson";
/// Bytes of it.
const ANY_TRAFFIC: u64 = 64 << 20;
/// Megabytes of all artifacts of one fetch.
const ALL_MEGABYTES: u64 = 1024;

/// One earlier run of one leg, downloaded. Its reports are read one run after
/// the other, so that no more than one is in memory.
#[derive(Debug)]
pub struct ArtifactRun {
    /// Number of its artifact, to be remembered.
    pub artifact: u64,
    /// The facts.
    pub facts: RunFacts,
    name: String,
    file: tempfile::NamedTempFile,
}

impl ArtifactRun {
    /// The reports in it.
    #[must_use]
    pub fn read(&self) -> Vec<TestRun> {
        archive::read(head(&self.name, 100), || self.file.reopen())
    }
}

impl ArtifactRun {
    /// The traffic that was recorded beside the reports, where it lies there.
    fn traffic(&self, masker: &mut Masker) -> Vec<Exchange> {
        let text = archive::text(self.file.as_file(), TRAFFIC, ANY_TRAFFIC);
        let read = text.map(|text| traffic::read(TRAFFIC, text.as_bytes(), masker));
        read.map(|traffic| traffic.exchanges).unwrap_or_default()
    }
}

/// An artifact that is wanted.
#[derive(Clone, Debug, PartialEq)]
struct ArtifactRef {
    id: u64,
    name: String,
    facts: RunFacts,
}

impl GitHub {
    /// Fetches what the history does not hold yet. Trouble is noted and costs
    /// only what it is about.
    #[must_use]
    pub fn earlier(&self, scene: &RunContext, policy: &HistoryPolicy, known: &HashSet<u64>) -> Vec<ArtifactRun> {
        let runs = match self.runs(scene, policy) {
            Ok(runs) => runs,
            Err(trouble) => {
                self.miss("judged without earlier runs", &trouble);
                return Vec::new();
            }
        };
        if runs.is_empty() && scene.attempt < 2 {
            return Vec::new();
        }
        let artifacts = match self.artifacts(&runs, policy) {
            Ok(artifacts) => artifacts,
            Err(trouble) => {
                self.miss("judged without earlier runs", &trouble);
                return Vec::new();
            }
        };
        let (mut runs, mut artifacts) = (runs, artifacts);
        match self.own_attempts(scene) {
            Ok((run, of_run)) => {
                runs.extend(run);
                artifacts.extend(of_run);
            }
            Err(trouble) => self.miss("earlier attempts of this run were not read", &trouble),
        }
        let wanted = self.choose(&runs, artifacts, scene, policy, known);
        self.fetch(wanted, policy)
    }

    /// The reports of one run and the recorded traffic beside them, for a job that was
    /// woken by its end or by a comment.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn reports_of(&self, run: u64, policy: &HistoryPolicy) -> Result<(Vec<TestRun>, Vec<Exchange>), ForgeError> {
        let found: Artifacts =
            self.client.get(&self.path(&format!("/actions/runs/{run}/artifacts?per_page=100")))?.read()?;
        let wanted: Vec<ArtifactRef> = found
            .artifacts
            .into_iter()
            .filter(|artifact| !artifact.expired)
            .filter_map(|artifact| {
                let variant = policy.leg(&artifact.name)?.variant;
                let facts = RunFacts { variant, ..RunFacts::default() };
                Some(ArtifactRef { id: artifact.id, name: artifact.name, facts })
            })
            .collect();
        let fetched = self.fetch(wanted, policy);
        let read = |earlier: &ArtifactRun| {
            let mut runs = earlier.read();
            for run in &mut runs {
                run.variant = run.variant.take().or_else(|| earlier.facts.variant.clone());
            }
            runs
        };
        let mut masker = Masker::new(false);
        let mut exchanges = Vec::new();
        for earlier in &fetched {
            exchanges.extend(earlier.traffic(&mut masker));
        }
        Ok((fetched.iter().flat_map(read).collect(), exchanges))
    }

    /// The files `plan.json` in the artifacts of a run whose names begin with
    /// `prefix`: one for each leg of a matrix.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn plans_of(&self, run: u64, prefix: &str, limit: u64) -> Result<Vec<String>, ForgeError> {
        let found: Artifacts =
            self.client.get(&self.path(&format!("/actions/runs/{run}/artifacts?per_page=100")))?.read()?;
        let ids: Vec<(u64, String)> = found
            .artifacts
            .into_iter()
            .filter(|artifact| !artifact.expired && artifact.name.starts_with(prefix))
            .map(|artifact| (artifact.id, artifact.name))
            .take(PLANS)
            .collect();
        let mut plans = Vec::new();
        for (name, file) in self.download(&ids, limit) {
            match file.and_then(|file| {
                archive::text(file.as_file(), "plan.json", limit)
                    .map_err(|what| ForgeError::Refused { what, hint: None })
            }) {
                Ok(text) => plans.push(text),
                Err(trouble) => self.note(format!("artifact {name}: {trouble}")),
            }
        }
        Ok(plans)
    }

    /// The runs whose artifacts are wanted, the newest first.
    fn runs(&self, scene: &RunContext, policy: &HistoryPolicy) -> Result<Vec<Run>, ForgeError> {
        let base = match &scene.workflow {
            Some(file) => format!("/actions/workflows/{}/runs", percent(file)),
            None => "/actions/runs".to_owned(),
        };
        let list = |filter: String| -> Result<Vec<Run>, ForgeError> {
            let route = format!("{base}?{filter}&status=completed&exclude_pull_requests=true");
            Ok(self.client.get(&self.path(&route))?.read::<Runs>()?.workflow_runs)
        };
        let own = |run: &Run| {
            run.head_repository.as_ref().is_some_and(|r| r.full_name.eq_ignore_ascii_case(scene.repository.as_str()))
        };
        let before = |run: &Run| scene.run.is_none_or(|id| run.id != id);
        let per_page = policy.runs.clamp(1, 100);
        let mut runs = list(format!("branch={}&per_page={per_page}", percent(&scene.default_branch)))?;
        // A fork may call its branch `main` too, and anybody may have it tested.
        runs.retain(|run| own(run) && TRUSTED_EVENTS.contains(&run.event.as_str()));
        runs.truncate(policy.runs as usize);
        if let Some(pull) = &scene.pull {
            let theirs = pull.head_repository.as_ref().map(crate::model::forge::RepoSlug::as_str);
            let mut own = list(format!("branch={}&event=pull_request&per_page={OWN_RUNS}", percent(&pull.head_ref)))?;
            // Of deleted forks nobody knows which is which.
            own.retain(|run| theirs.is_some() && run.head_repository.as_ref().map(|r| r.full_name.as_str()) == theirs);
            runs.extend(own);
        }
        runs.retain(before);
        Ok(runs)
    }

    /// The artifacts of the repository, as far back as the runs go.
    fn artifacts(&self, runs: &[Run], policy: &HistoryPolicy) -> Result<Vec<Artifact>, ForgeError> {
        let oldest = runs.iter().map(|run| run.created_at).min().unwrap_or(Timestamp::from_unix(0));
        // One literal name can be asked for; globs cannot.
        let only = match policy.artifacts.as_slice() {
            [name] if !name.contains(['*', '?', '[', '{']) => format!("&name={}", percent(name)),
            _ => String::new(),
        };
        let mut all = Vec::new();
        let route = self.path(&format!("/actions/artifacts?per_page=100{only}"));
        let more = self.client.pages(&route, ARTIFACT_PAGES, |answer| {
            let page: Artifacts = answer.read()?;
            let past = page.artifacts.last().and_then(|a| a.created_at).is_some_and(|at| at < oldest);
            all.extend(page.artifacts);
            Ok(!past)
        })?;
        if more {
            self.ask_run_by_run(runs, &mut all)?;
        }
        Ok(all)
    }

    /// In so busy a repository that its list of artifacts does not reach back far
    /// enough: the latest runs that are not in it.
    fn ask_run_by_run(&self, runs: &[Run], all: &mut Vec<Artifact>) -> Result<(), ForgeError> {
        let listed: HashSet<u64> = all.iter().filter_map(|a| a.workflow_run.as_ref()?.id).collect();
        let unlisted: Vec<u64> = runs.iter().map(|run| run.id).filter(|id| !listed.contains(id)).collect();
        for run in unlisted.iter().take(RUNS_ASKED) {
            all.extend(self.artifacts_of(*run)?);
        }
        if unlisted.len() > RUNS_ASKED {
            self.note(format!(
                "the repository has so many artifacts that those of {} earlier runs were not looked for; with one plain name in `history.artifacts` only artifacts of that name are listed",
                unlisted.len() - RUNS_ASKED
            ));
        }
        Ok(())
    }

    fn artifacts_of(&self, run: u64) -> Result<Vec<Artifact>, ForgeError> {
        let found: Artifacts =
            self.client.get(&self.path(&format!("/actions/runs/{run}/artifacts?per_page=100")))?.read()?;
        Ok(found.artifacts)
    }

    /// What earlier attempts of this very run left behind: the run itself is not
    /// listed among those that have ended.
    fn own_attempts(&self, scene: &RunContext) -> Result<(Vec<Run>, Vec<Artifact>), ForgeError> {
        let Some(id) = scene.run.filter(|_| scene.attempt > 1) else { return Ok((Vec::new(), Vec::new())) };
        let run: Run = self.client.get(&self.path(&format!("/actions/runs/{id}")))?.read()?;
        let started = run.started_at.unwrap_or(run.created_at);
        let mut artifacts = self.artifacts_of(id)?;
        artifacts.retain(|artifact| artifact.created_at.is_some_and(|at| at < started));
        Ok((vec![run], artifacts))
    }

    fn choose(
        &self,
        runs: &[Run],
        artifacts: Vec<Artifact>,
        scene: &RunContext,
        policy: &HistoryPolicy,
        known: &HashSet<u64>,
    ) -> Vec<ArtifactRef> {
        let by_id: HashMap<u64, &Run> = runs.iter().map(|run| (run.id, run)).collect();
        let mut wanted = Vec::new();
        let (mut expired, mut large, mut sum) = (0, 0, 0);
        for artifact in artifacts {
            let Some(run) = artifact.workflow_run.as_ref().and_then(|r| by_id.get(&r.id?)) else { continue };
            let Some(ArtifactMatch { variant }) = policy.leg(&artifact.name) else { continue };
            if known.contains(&artifact.id) {
                continue;
            }
            if artifact.expired {
                expired += 1;
                continue;
            }
            sum += artifact.size_in_bytes;
            if artifact.size_in_bytes > u64::from(policy.max_megabytes) << 20 || sum > ALL_MEGABYTES << 20 {
                large += 1;
                continue;
            }
            wanted.push(ArtifactRef {
                facts: facts_of(run, &artifact, variant, scene),
                id: artifact.id,
                name: artifact.name,
            });
        }
        for (count, why) in [(expired, "have expired"), (large, "are larger than `history.max-megabytes` allows")] {
            if count > 0 {
                self.note(format!("{count} artifacts of earlier runs {why} and were not read"));
            }
        }
        // The oldest first, so that history grows in the order of time.
        wanted.sort_by_key(|w| (w.facts.at, w.id));
        wanted
    }

    fn fetch(&self, wanted: Vec<ArtifactRef>, policy: &HistoryPolicy) -> Vec<ArtifactRun> {
        let ids: Vec<(u64, String)> = wanted.iter().map(|w| (w.id, w.name.clone())).collect();
        let files = self.download(&ids, u64::from(policy.max_megabytes) << 20);
        let mut read = Vec::new();
        let mut failed = 0;
        for (wanted, (name, file)) in wanted.into_iter().zip(files) {
            let checked = file.and_then(|file| match archive::inspect(file.as_file()) {
                Ok(()) => Ok(file),
                Err(what) => Err(ForgeError::Refused { what, hint: None }),
            });
            match checked {
                Ok(file) => {
                    read.push(ArtifactRun { artifact: wanted.id, facts: wanted.facts, name, file });
                }
                Err(trouble) => {
                    failed += 1;
                    if failed <= 3 {
                        self.note(format!("artifact {} was not read: {trouble}", head(&name, 100)));
                    }
                }
            }
        }
        if failed > 3 {
            self.note(format!("{} more artifacts were not read", failed - 3));
        }
        read
    }

    fn download(&self, ids: &[(u64, String)], most: u64) -> Vec<(String, Result<tempfile::NamedTempFile, ForgeError>)> {
        let jobs: Vec<(String, tempfile::NamedTempFile)> = ids
            .iter()
            .filter_map(|(id, _)| {
                let file = tempfile::NamedTempFile::new().ok()?;
                Some((self.path(&format!("/actions/artifacts/{id}/zip")), file))
            })
            .collect();
        if jobs.len() < ids.len() {
            self.note("artifacts cannot be kept: no temporary file can be made");
            return Vec::new();
        }
        let done = self.client.download(jobs, most);
        ids.iter().zip(done).map(|((_, name), (file, result))| (name.clone(), result.map(|_| file))).collect()
    }
}

/// Facts of the run that an artifact belongs to. An artifact says nothing about
/// attempts: one that is older than the latest attempt came from an earlier one.
fn facts_of(run: &Run, artifact: &Artifact, variant: Option<String>, scene: &RunContext) -> RunFacts {
    let latest = run.attempt.unwrap_or(1).max(1);
    let started = run.started_at.unwrap_or(run.created_at);
    let made = artifact.created_at.unwrap_or(started);
    let is_older = latest > 1 && made < started;
    let branch = run.head_branch.clone().unwrap_or_default();
    let repository = run.head_repository.as_ref().map_or("", |r| r.full_name.as_str());
    let is_own = repository.eq_ignore_ascii_case(scene.repository.as_str());
    let owner = repository.split('/').next().filter(|owner| !owner.is_empty()).unwrap_or("?");
    RunFacts {
        commit: Some(run.head_sha.clone()),
        branch: Some(if is_own { branch } else { format!("{owner}:{branch}") }),
        at: Some(if is_older { made } else { started }),
        run: Some(run.id.to_string()),
        attempt: if is_older { latest - 1 } else { latest },
        variant,
    }
}
