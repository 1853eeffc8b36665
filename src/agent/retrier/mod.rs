//! The retrier: why a failed test is run again, when, and how often.

pub mod order_dependency;

use crate::diagnose::verdict::Verdict;
use crate::ingest::traffic::retry_after;
use crate::model::exchange::Exchange;
use crate::model::time::Timestamp;

/// Seconds that one wait may take; a service that asks for more is told of and
/// not waited for.
pub const LONGEST: u64 = 120;
/// Tries after a refusal, and after trouble around the tests.
const REFUSED: u32 = 3;
const OUTSIDE: u32 = 2;
/// Seconds from which waits grow, doubling, where nobody says how long; and where
/// they end (full jitter: anything from nothing to that).
const BASE: f64 = 2.0;
const CAP: f64 = 60.0;

/// What is done about tests that failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// They are run again after so many seconds, and if they pass then, they passed.
    Wait {
        /// Seconds.
        seconds: f64,
        /// Why.
        why: String,
    },
    /// Each is run by itself, to see whether its order was the reason; what comes
    /// of it is evidence and no pass.
    Alone,
    /// They are left as they are, and why.
    Leave(String),
}

/// What was tried before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tried {
    /// How often the tests were run again in this run.
    pub rounds: u32,
    /// Seconds after which they passed when an earlier run waited for them.
    pub learned: Option<f64>,
}

/// Decides about the tests of one diagnosis: `exchanges` is what they sent in their
/// last run, `jitter` is any number from 0 to 1.
#[must_use]
pub fn decide(verdict: Verdict, exchanges: &[&Exchange], before: Tried, jitter: f64, now: Timestamp) -> Decision {
    let tried = before.rounds;
    // What helped last time is tried first; where it does not help, waits grow as ever.
    let learned = before.learned.filter(|seconds| tried == 0 && *seconds <= LONGEST as f64);
    let backoff = (BASE * 2.0_f64.powi(i32::try_from(tried).unwrap_or(0))).min(CAP) * jitter.clamp(0.0, 1.0);
    match verdict {
        Verdict::RateLimited if tried >= REFUSED => Decision::Leave(format!("refused again after {tried} waits")),
        Verdict::RateLimited => {
            let hint = exchanges.iter().rev().find_map(|e| {
                let response = e.response.as_ref().filter(|r| matches!(r.status, 429 | 503 | 413))?;
                Some((retry_after::wait(&response.headers, e.at.unwrap_or(now))?, e.line()))
            });
            match hint {
                Some((hint, line)) if hint.seconds > LONGEST => Decision::Leave(format!(
                    "{line} asks to wait {} s (`{}`), which is more than the {LONGEST} s that a run waits",
                    hint.seconds, hint.said
                )),
                Some((hint, line)) => Decision::Wait {
                    seconds: hint.seconds as f64,
                    why: format!("{line} asks to wait {} s (`{}`)", hint.seconds, hint.said),
                },
                None => Decision::Wait {
                    seconds: learned.unwrap_or(backoff),
                    why: after("a service refused and did not say for how long", learned),
                },
            }
        }
        Verdict::Environment if tried >= OUTSIDE => {
            Decision::Leave(format!("the trouble is still there after {tried} waits"))
        }
        Verdict::Environment => {
            let last =
                exchanges.last().map_or_else(|| "the trouble is outside of the tests".to_owned(), |e| format!("{e}"));
            Decision::Wait { seconds: learned.unwrap_or(backoff), why: after(&last, learned) }
        }
        _ if tried == 0 => Decision::Alone,
        _ => Decision::Leave("it fails again".to_owned()),
    }
}

/// A reason, with what was learned from earlier runs.
fn after(why: &str, learned: Option<f64>) -> String {
    learned
        .map_or(why.to_owned(), |seconds| format!("{why}; it passed after {seconds:.1} s when it was last run again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exchange::{Body, Headers, Request, Response};

    fn answer(status: u16, fields: &[(&str, &str)]) -> Exchange {
        let headers = Headers(fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        Exchange {
            test: None,
            at: None,
            millis: None,
            trouble: None,
            request: Request::get("/x"),
            response: Some(Response { status, headers, body: Body::Empty }),
        }
    }

    #[test]
    fn reasons_and_waits() {
        let with = |verdict, exchange: &Exchange, before| match decide(
            verdict,
            &[exchange],
            before,
            0.5,
            Timestamp::from_unix(0),
        ) {
            Decision::Wait { seconds, why } => format!("wait {seconds}: {why}"),
            Decision::Alone => "alone".to_owned(),
            Decision::Leave(why) => format!("leave: {why}"),
        };
        let told = |verdict, exchange: &Exchange, rounds| with(verdict, exchange, Tried { rounds, learned: None });
        let (short, long) = (answer(429, &[("Retry-After", "2")]), answer(429, &[("Retry-After", "100000")]));
        for (verdict, exchange, tried, expected) in [
            (Verdict::RateLimited, &short, 0, "wait 2: GET /x asks to wait 2 s (`Retry-After: 2`)"),
            (Verdict::RateLimited, &short, 3, "leave: refused again after 3 waits"),
            (
                Verdict::RateLimited,
                &long,
                0,
                "leave: GET /x asks to wait 100000 s (`Retry-After: 100000`), which is more than the 120 s that a run waits",
            ),
            (Verdict::RateLimited, &answer(429, &[]), 1, "wait 2: a service refused and did not say for how long"),
            (Verdict::Environment, &answer(502, &[]), 0, "wait 1: GET /x answered 502"),
            (Verdict::Environment, &answer(502, &[]), 2, "leave: the trouble is still there after 2 waits"),
            (Verdict::Regression, &answer(500, &[]), 0, "alone"),
            (Verdict::Regression, &answer(500, &[]), 1, "leave: it fails again"),
        ] {
            assert_eq!(told(verdict, exchange, tried), expected);
        }
        // What an earlier run learned is where the first wait begins, and a hint stands above it.
        let learned = |rounds| Tried { rounds, learned: Some(7.5) };
        let refused = answer(429, &[]);
        let why = "a service refused and did not say for how long";
        assert_eq!(
            with(Verdict::RateLimited, &refused, learned(0)),
            format!("wait 7.5: {why}; it passed after 7.5 s when it was last run again")
        );
        assert_eq!(with(Verdict::RateLimited, &refused, learned(1)), format!("wait 2: {why}"));
        assert!(with(Verdict::RateLimited, &short, learned(0)).starts_with("wait 2: GET"));
    }
}
