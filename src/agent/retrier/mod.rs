//! The retrier: why a failed test is run again, when, and how often.

pub mod order;

use crate::diagnose::verdict::Verdict;
use crate::ingest::traffic::hints;
use crate::model::exchange::Exchange;
use crate::model::time::Instant;

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

/// Decides about the tests of one diagnosis: `tried` times they were run again
/// already, `exchanges` is what they sent in their last run, `jitter` is any number
/// from 0 to 1.
#[must_use]
pub fn decide(verdict: Verdict, exchanges: &[&Exchange], tried: u32, jitter: f64, now: Instant) -> Decision {
    let backoff = (BASE * 2.0_f64.powi(i32::try_from(tried).unwrap_or(0))).min(CAP) * jitter.clamp(0.0, 1.0);
    match verdict {
        Verdict::RateLimited if tried >= REFUSED => Decision::Leave(format!("refused again after {tried} waits")),
        Verdict::RateLimited => {
            let hint = exchanges.iter().rev().find_map(|e| {
                let response = e.response.as_ref().filter(|r| matches!(r.status, 429 | 503 | 413))?;
                Some((hints::wait(&response.headers, e.at.unwrap_or(now))?, e.line()))
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
                    seconds: backoff,
                    why: "a service refused and did not say for how long".to_owned(),
                },
            }
        }
        Verdict::Environment if tried >= OUTSIDE => {
            Decision::Leave(format!("the trouble is still there after {tried} waits"))
        }
        Verdict::Environment => {
            let last =
                exchanges.last().map_or_else(|| "the trouble is outside of the tests".to_owned(), |e| format!("{e}"));
            Decision::Wait { seconds: backoff, why: last }
        }
        _ if tried == 0 => Decision::Alone,
        _ => Decision::Leave("it fails again".to_owned()),
    }
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
        let told =
            |verdict, exchange: &Exchange, tried| match decide(verdict, &[exchange], tried, 0.5, Instant::from_unix(0))
            {
                Decision::Wait { seconds, why } => format!("wait {seconds}: {why}"),
                Decision::Alone => "alone".to_owned(),
                Decision::Leave(why) => format!("leave: {why}"),
            };
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
    }
}
