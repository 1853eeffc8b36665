//! Where written tests are run: a checkout beside the repository, with a recorder that
//! sees what they send and shows them mutants of what comes back.

use std::time::Instant;

use crate::adapters::recorder::Recorder;
use crate::adapters::runner::{QUICK, Runner};
use crate::adapters::sandbox::Sandbox;
use crate::error::Problem;
use crate::ports::{GeneratedRun, GeneratedTestRunner, Mutants, Noticed, RunOrder};

/// The place.
#[derive(Debug)]
pub struct RecordingSandbox<'a> {
    workshop: &'a mut Sandbox,
    recorder: Recorder,
    commit: String,
    runner: Runner,
    /// When it closes.
    until: Option<Instant>,
    /// What a JVM needs besides.
    for_jvm: Option<(String, String)>,
}

impl<'a> RecordingSandbox<'a> {
    /// Opens one at a commit, for as long as there is time.
    ///
    /// # Errors
    /// Where traffic cannot be recorded.
    pub fn open(
        workshop: &'a mut Sandbox,
        commit: &str,
        runner: Runner,
        until: Option<Instant>,
    ) -> Result<Self, Problem> {
        let recorder = Recorder::start_in(workshop.shared().path(), false)?;
        let is_jvm = matches!(runner, Runner::Maven | Runner::Gradle);
        let quick = |_: &str| Some(QUICK.to_owned());
        let for_jvm = is_jvm.then(|| recorder.jvm_variables(&quick)).transpose();
        let for_jvm = for_jvm.map_err(|why| Problem::failed("tests of the JVM cannot be proven").hint(why))?;
        Ok(Self { workshop, recorder, commit: commit.to_owned(), runner, until, for_jvm })
    }

    /// Writes a file that tests read. They may have put anything in its place.
    fn share(&self, name: &str, text: &str) -> Result<(), Problem> {
        let written = self.workshop.shared().write(name, text.as_bytes());
        written.map_err(|e| Problem::failed(format!("{name} cannot be handed to the tests")).because(e))
    }

    /// What the command of the tests sees besides.
    fn variables(&self, how: RunOrder<'_>) -> Result<Vec<(String, String)>, Problem> {
        let place = |name: &str| self.workshop.shared().path().join(name);
        let is_pytest = self.runner == Runner::Pytest;
        let order = match how {
            _ if !is_pytest => None,
            // In one process: what tests leave behind there is shown to more of the others.
            RunOrder::Shuffled(seed, times) => {
                let known = self.recorder.order();
                Some((0..times).flat_map(|n| shuffled(known.clone(), seed + u64::from(n))).collect())
            }
            RunOrder::Alone(test) => Some(vec![test.to_owned()]),
            RunOrder::InOrder => None,
        };
        let mut out = Vec::new();
        if let Some(order) = order {
            self.share("order.txt", &(order.join("\n") + "\n"))?;
            out.push(("TESTMEDIC_ORDER".to_owned(), place("order.txt").display().to_string()));
        }
        Ok(out)
    }
}

impl GeneratedTestRunner for RecordingSandbox<'_> {
    fn run(&mut self, files: &[(String, String)], how: RunOrder<'_>) -> Result<GeneratedRun, Problem> {
        let RunOrder::Shuffled(seed, times) = how else { return self.once(files, how) };
        if self.runner == Runner::Pytest || times < 2 {
            return self.once(files, how);
        }
        let mut whole = self.once(files, RunOrder::Shuffled(seed, 1))?;
        for n in 1..times {
            let more = self.once(files, RunOrder::Shuffled(seed + u64::from(n), 1))?;
            whole.execution.ran.extend(more.execution.ran);
            whole.execution.trouble = whole.execution.trouble.take().or(more.execution.trouble);
            whole.exchanges.extend(more.exchanges);
        }
        Ok(whole)
    }

    fn noticed(&mut self, files: &[(String, String)], mutants: &Mutants) -> Result<Noticed, Problem> {
        let path = self.workshop.shared().path().join("mutants.json");
        let text = serde_json::to_string(mutants).map_err(|e| Problem::failed("mutants are no JSON").because(e))?;
        self.share("mutants.json", &text)?;
        let most = mutants.values().map(Vec::len).max().unwrap_or(0);
        let mut out: Noticed = mutants.iter().map(|(test, own)| (test.clone(), vec![false; own.len()])).collect();
        let lines = self.workshop.shared().path().join("mutants.tsv");
        // pytest shows all of them in one process, to copies of the tests; others one at a time.
        let rounds = if self.runner == Runner::Pytest { 1 } else { most };
        for round in 0..rounds {
            if self.for_jvm.is_some() {
                self.share("mutants.tsv", &lines_of(mutants, round))?;
            }
            let more = vec![
                ("TESTMEDIC_MUTANT_LINES".to_owned(), lines.display().to_string()),
                ("TESTMEDIC_MUTANTS".to_owned(), path.display().to_string()),
                ("TESTMEDIC_MUTANT".to_owned(), round.to_string()),
            ];
            let staged = self.with(files, RunOrder::InOrder, &more)?;
            let failed: Vec<(String, usize)> = if self.runner == Runner::Pytest {
                self.recorder.noticed()
            } else {
                let bad = staged.execution.ran.iter().filter(|r| r.outcome.is_bad());
                bad.map(|r| (r.name.name.raw().trim_end_matches("()").to_owned(), round)).collect()
            };
            for (name, at) in failed {
                let own = out.iter_mut().find(|(test, _)| **test == name || test.rsplit("::").next() == Some(&name));
                if let Some(seen) = own.and_then(|(_, seen)| seen.get_mut(at)) {
                    *seen = true;
                }
            }
        }
        Ok(out)
    }
}

impl RecordingSandbox<'_> {
    fn once(&mut self, files: &[(String, String)], how: RunOrder<'_>) -> Result<GeneratedRun, Problem> {
        let more = self.variables(how)?;
        self.with(files, how, &more)
    }

    fn with(
        &mut self,
        files: &[(String, String)],
        how: RunOrder<'_>,
        more: &[(String, String)],
    ) -> Result<GeneratedRun, Problem> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Problem::failed("there is no time left to prove tests")
                .hint("`generate.max-minutes` says how much there is"));
        }
        let paths: Vec<String> = files.iter().filter(|(_, text)| !text.is_empty()).map(|(p, _)| p.clone()).collect();
        let (recorder, runner, for_jvm) = (&self.recorder, self.runner, &self.for_jvm);
        let adjust = |ready: &mut crate::adapters::runner::Ready| {
            let now = |name: &str| ready.env.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
            let own = recorder.variables(&now);
            ready.env.retain(|(name, _)| !own.iter().any(|(n, _)| n == name));
            ready.env.extend(own);
            ready.env.extend(more.iter().cloned());
            ready.env.extend(for_jvm.clone());
            if matches!(how, RunOrder::Alone(_)) && runner == Runner::Maven {
                ready.argv.retain(|word| !word.starts_with("-Dtest="));
            }
            ready.argv.extend(options(runner, how));
        };
        let execution = self.workshop.run_files(&self.commit, self.runner, &paths, files, &adjust)?;
        let exchanges = self.recorder.end().exchanges;
        Ok(GeneratedRun { execution, exchanges })
    }
}

/// The mutants of one round, a line for each test, for who reads no JSON.
fn lines_of(mutants: &Mutants, round: usize) -> String {
    let mut text = String::new();
    for (test, own) in mutants {
        if let Some(mutant) = own.get(round) {
            let change = serde_json::to_value(mutant.change).unwrap_or_default();
            let at = mutant.at.replace(['\t', '\n', '\r'], " ");
            let change = change.as_str().unwrap_or("");
            text.push_str(&format!("{test}\t{}\t{change}\t{at}\t{}\n", mutant.exchange, mutant.status));
        }
    }
    text
}

/// The options by which JUnit runs tests in another order, or one alone.
fn junit_options(how: RunOrder<'_>) -> Vec<String> {
    match how {
        RunOrder::Shuffled(number, _) => vec![
            "-Djunit.jupiter.testmethod.order.default=org.junit.jupiter.api.MethodOrderer$Random".to_owned(),
            format!("-Djunit.jupiter.execution.order.random.seed={number}"),
        ],
        RunOrder::Alone(test) => {
            let names: Vec<&str> = test.split("::").skip(1).collect();
            vec![format!("-Dtest={}", names.join("#"))]
        }
        RunOrder::InOrder => Vec::new(),
    }
}

/// The options by which a runner runs tests in another order, or one alone.
fn options(runner: Runner, how: RunOrder<'_>) -> Vec<String> {
    if runner == Runner::Maven {
        return junit_options(how);
    }
    let (shuffle, seed) = match runner {
        Runner::Jest => ("--randomize", "--seed"),
        Runner::Vitest => ("--sequence.shuffle.tests", "--sequence.seed"),
        _ => return Vec::new(),
    };
    match how {
        RunOrder::Shuffled(number, _) => vec![shuffle.to_owned(), format!("{seed}={}", number % 2_147_483_647)],
        RunOrder::Alone(test) => {
            let titles: Vec<&str> = test.split("::").skip(1).collect();
            // Vitest 1 puts a space before the whole name.
            let lead = if runner == Runner::Vitest { "^\\s?" } else { "^" };
            vec!["-t".to_owned(), format!("{lead}{}$", regex::escape(&titles.join(" ")))]
        }
        RunOrder::InOrder => Vec::new(),
    }
}

/// Names in an order that a number gives (Fisher and Yates, with Marsaglia's xorshift).
fn shuffled(mut names: Vec<String>, seed: u64) -> Vec<String> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for at in (1..names.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (at as u64 + 1)).unwrap_or(0);
        names.swap(at, other);
    }
    names
}
