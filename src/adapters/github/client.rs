//! Requests to GitHub's REST API: one place that knows about limits, retries,
//! redirects and what a refusal means.
//!
//! Reads are repeated where that may help. Writes never are: octocrab's own
//! retry layer would repeat a `POST` after a 502, so it is not compiled in. A
//! write that GitHub refused because of a limit did nothing and is sent again
//! after the wait that GitHub asks for; a write without a clear answer is
//! [`ForgeError::Unclear`], and who planned it looks before trying again.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::error::Problem;
use crate::model::secret::{Secret, mask_value};
use crate::model::text::{Untrusted, head};
use crate::ports::ForgeError;
use crate::render::terminal::line;

/// Bytes of one answer that are read.
const ANSWER: usize = 32 << 20;
/// How often a read is sent at most.
const READS: u32 = 4;
/// How often a write is sent again after a limit.
const LIMITED: u32 = 4;
/// The longest that is waited for a limit, in one run and in all.
const LONGEST_WAIT: Duration = Duration::from_secs(240);
/// Redirects followed.
const HOPS: u32 = 4;
/// How long one request may take.
const TIME_OUT: Duration = Duration::from_secs(60);

/// How to reach the forge.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Base of the API, such as `https://api.github.com` or `https://host/api/v3`.
    pub api: String,
    /// The token; without one only public things can be read.
    pub token: Option<Secret>,
    /// Pause between two writes. GitHub asks for a second.
    pub write_gap: Duration,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// The body as `T`.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ForgeError> {
        serde_json::from_slice(&self.body).map_err(|e| ForgeError::Refused {
            what: format!("GitHub's answer is not what its API describes: {e}"),
            hint: None,
        })
    }
}

/// The client.
pub struct Client {
    runtime: Runtime,
    octocrab: Octocrab,
    /// For other hosts: never carries the token.
    plain: reqwest::Client,
    connection: Connection,
    calls: Cell<u32>,
    waited: Cell<Duration>,
    last_write: RefCell<Option<tokio::time::Instant>>,
    /// Set once the token was refused: asking again would only repeat it.
    rejected: RefCell<Option<ForgeError>>,
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// Where the API's address is not one, or TLS cannot be set up.
    pub fn new(connection: Connection) -> Result<Self, Problem> {
        let wrong = |e: &dyn std::fmt::Display| {
            Problem::usage(format!("cannot talk to `{}`: {e}", line(&connection.api, 200))).hint(
                "GITHUB_API_URL is like https://api.github.com, or https://HOST/api/v3 on GitHub Enterprise Server",
            )
        };
        // A second call fails because the first one did it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| wrong(&e))?;
        let http = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(Duration::from_secs(15))
                .read_timeout(Duration::from_secs(30))
                .user_agent(concat!("testmedic/", env!("CARGO_PKG_VERSION")))
        };
        let base: Uri = connection.api.trim_end_matches('/').parse().map_err(|e| wrong(&e))?;
        if base.scheme().is_none() {
            return Err(wrong(&"it has no scheme"));
        }
        let mut builder = Octocrab::builder().base_uri(base).map_err(|e| wrong(&e))?;
        if let Some(token) = &connection.token {
            builder = builder.personal_token(token.expose().to_owned());
        }
        let client = http().build().map_err(|e| wrong(&e))?;
        let octocrab = {
            let _inside = runtime.enter();
            builder.build_with_reqwest(client).map_err(|e| wrong(&e))?
        };
        Ok(Self {
            plain: http().build().map_err(|e| wrong(&e))?,
            octocrab,
            runtime,
            calls: Cell::new(0),
            waited: Cell::new(Duration::ZERO),
            last_write: RefCell::new(None),
            rejected: RefCell::new(None),
            connection,
        })
    }

    /// Requests sent to the API so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    /// Waits `seconds` of the pace at which this client works.
    pub fn pause(&self, round: u32) {
        let base = self.connection.write_gap.min(Duration::from_secs(1));
        let jitter = f64::from(random_byte()) / 255.0;
        let wait = base.mul_f64(f64::from(1 << round.min(5)) * (0.5 + jitter));
        let wait = wait.max(Duration::from_millis(1));
        // A timer is made inside of the runtime.
        self.runtime.block_on(async { tokio::time::sleep(wait).await });
    }

    /// Reads `path`, which begins with a slash.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn get(&self, path: &str) -> Result<Answer, ForgeError> {
        self.accepted()?;
        self.runtime.block_on(self.read(path))
    }

    fn accepted(&self) -> Result<(), ForgeError> {
        self.rejected.borrow().clone().map_or(Ok(()), Err)
    }

    /// Reads all pages of a list, up to `most` pages. `rows` takes the rows out
    /// of one page and tells whether to go on. Tells whether there are more.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn pages(
        &self,
        path: &str,
        most: u32,
        mut rows: impl FnMut(&Answer) -> Result<bool, ForgeError>,
    ) -> Result<bool, ForgeError> {
        let mut next = Some(path.to_owned());
        for _ in 0..most {
            let Some(path) = next.take() else { break };
            let answer = self.get(&path)?;
            if !rows(&answer)? {
                return Ok(false);
            }
            next = next_page(&answer.headers).and_then(|url| self.relative(&url));
        }
        Ok(next.is_some())
    }

    /// Reads all pages of a list that is of no use in part.
    ///
    /// # Errors
    /// [`ForgeError`], also where there are more pages than `most`.
    pub fn whole(
        &self,
        path: &str,
        most: u32,
        mut rows: impl FnMut(&Answer) -> Result<(), ForgeError>,
    ) -> Result<(), ForgeError> {
        let more = self.pages(path, most, |answer| rows(answer).map(|()| true))?;
        if more {
            let what =
                format!("GET {} has more than {most} pages; nothing is decided on a part of it", head(path, 200));
            return Err(refused(what));
        }
        Ok(())
    }

    /// Sends a write.
    ///
    /// # Errors
    /// [`ForgeError`]
    pub fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ForgeError> {
        self.accepted()?;
        self.runtime.block_on(self.write(method, path, body))
    }

    /// Downloads what `paths` name on all connections at once, each through a
    /// redirect to a host that must not see the token, into `sink`s.
    pub fn download<S>(&self, jobs: Vec<(String, S)>, most: u64) -> Vec<(S, Result<u64, ForgeError>)>
    where
        S: std::io::Write,
    {
        use futures_util::StreamExt;
        const AT_ONCE: usize = 8;
        self.runtime.block_on(async {
            let fetch = |(path, mut sink): (String, S)| async move {
                let done = self.fetch(&path, &mut sink, most).await;
                (sink, done)
            };
            futures_util::stream::iter(jobs.into_iter().map(fetch)).buffered(AT_ONCE).collect().await
        })
    }

    async fn fetch(&self, path: &str, sink: &mut impl std::io::Write, most: u64) -> Result<u64, ForgeError> {
        let mut last = ForgeError::Unclear(String::new());
        for round in 0..READS {
            if round > 0 {
                self.back_off(round).await;
            }
            let answer = self.read_once(path).await?;
            let Some(place) = redirect(&answer) else {
                return Err(self.refusal(&answer, path, &Method::GET));
            };
            match self.fetch_from(&place, sink, most).await {
                Ok(size) => return Ok(size),
                Err((true, trouble)) => last = trouble,
                Err((false, trouble)) => return Err(trouble),
            }
        }
        Err(last)
    }

    /// Streams one download; tells with an error whether to try again, which
    /// is only right while nothing was written yet.
    async fn fetch_from(
        &self,
        place: &str,
        sink: &mut impl std::io::Write,
        most: u64,
    ) -> Result<u64, (bool, ForgeError)> {
        let refused = |what: String| (false, ForgeError::Refused { what, hint: None });
        let mut response = self
            .plain
            .get(place)
            .send()
            .await
            .map_err(|e| (true, ForgeError::Unclear(format!("the download broke off: {}", plainly(&e)))))?;
        if !response.status().is_success() {
            let again = response.status().is_server_error();
            let what = format!("the download answered {}", response.status());
            return Err((again, ForgeError::Refused { what, hint: None }));
        }
        let mut size = 0_u64;
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk
                .map_err(|e| (size == 0, ForgeError::Unclear(format!("the download broke off: {}", plainly(&e)))))?;
            let Some(chunk) = chunk else { break };
            size += chunk.len() as u64;
            if size > most {
                return Err(refused(format!("it is larger than {} MB (`history.max-megabytes`)", most >> 20)));
            }
            sink.write_all(&chunk).map_err(|e| refused(format!("it cannot be kept on disk: {e}")))?;
        }
        sink.flush().map_err(|e| refused(format!("it cannot be kept on disk: {e}")))?;
        Ok(size)
    }

    async fn read(&self, path: &str) -> Result<Answer, ForgeError> {
        let mut path = path.to_owned();
        for _ in 0..HOPS {
            let answer = self.read_once(&path).await?;
            match redirect(&answer) {
                // A repository that was renamed: the same API, so the token may go along.
                Some(url) => match self.relative(&url) {
                    Some(next) => path = next,
                    None => return Err(refused(format!("{path} redirects to another host"))),
                },
                None if answer.status.is_success() => return Ok(answer),
                None => return Err(self.refusal(&answer, &path, &Method::GET)),
            }
        }
        Err(refused(format!("{path} redirects without end")))
    }

    /// One read, repeated after time-outs, 5xx and limits.
    async fn read_once(&self, path: &str) -> Result<Answer, ForgeError> {
        let mut last = ForgeError::Unclear(String::new());
        for round in 0..READS {
            if round > 0 {
                self.back_off(round).await;
            }
            match self.once(&Method::GET, path, None).await {
                Ok(answer) if answer.status.is_server_error() => {
                    last = refused(format!("GitHub answered {} to GET {path}", answer.status));
                }
                Ok(answer) => match limit(&answer, crate::adapters::system::now().unix()) {
                    None => return Ok(answer),
                    Some(wait) => {
                        last = self.refusal(&answer, path, &Method::GET);
                        if !self.wait(wait).await {
                            return Err(last);
                        }
                    }
                },
                Err(why) => {
                    last = ForgeError::Refused {
                        what: format!("GitHub cannot be reached at {}: {why}", line(&self.connection.api, 100)),
                        hint: Some(
                            "try again later; GITHUB_API_URL and the proxy variables say where it is".to_owned(),
                        ),
                    };
                }
            }
        }
        // Who did not answer four times in a row is not asked for everything else.
        *self.rejected.borrow_mut() = Some(last.clone());
        Err(last)
    }

    async fn write(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ForgeError> {
        for _ in 0..LIMITED {
            self.keep_pace().await;
            let answer = match self.once(&method, path, body).await {
                Ok(answer) => answer,
                Err(why) => return Err(ForgeError::Unclear(format!("{method} {path} got no answer: {why}"))),
            };
            if answer.status.is_success() {
                return Ok(answer);
            }
            if answer.status.is_server_error() {
                return Err(ForgeError::Unclear(format!("GitHub answered {} to {method} {path}", answer.status)));
            }
            // A limit was met before anything was done: the same again is no repetition.
            match limit(&answer, crate::adapters::system::now().unix()) {
                Some(wait) if self.wait(wait).await => {}
                _ => return Err(self.refusal(&answer, path, &method)),
            }
        }
        Err(refused(format!("GitHub's limits were met {LIMITED} times for {method} {path}")))
    }

    /// At most one write in each gap.
    async fn keep_pace(&self) {
        let last = *self.last_write.borrow();
        if let Some(last) = last {
            tokio::time::sleep_until(last + self.connection.write_gap).await;
        }
        *self.last_write.borrow_mut() = Some(tokio::time::Instant::now());
    }

    async fn back_off(&self, round: u32) {
        let base = self.connection.write_gap.min(Duration::from_secs(1));
        let jitter = f64::from(random_byte()) / 255.0;
        tokio::time::sleep(base.mul_f64(f64::from(1 << round.min(4)) * (0.5 + jitter / 2.0))).await;
    }

    /// Waits for a limit, if that is within bounds.
    async fn wait(&self, wait: Duration) -> bool {
        let all = self.waited.get() + wait;
        if all > LONGEST_WAIT {
            return false;
        }
        self.waited.set(all);
        tokio::time::sleep(wait).await;
        true
    }

    async fn once(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        self.calls.set(self.calls.get() + 1);
        let builder = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        let request = self.octocrab.build_request(builder, body).map_err(|e| self.clean(&e))?;
        let exchange = async {
            let response = self.octocrab.execute(request).await.map_err(|e| self.clean(&e))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER).collect().await.map_err(|e| self.clean(&*e))?.to_bytes();
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(TIME_OUT, exchange)
            .await
            .unwrap_or_else(|_| Err("it took longer than a minute".to_owned()))
    }

    /// An error in words, the innermost cause last, without the token.
    fn clean(&self, error: &(dyn std::error::Error + 'static)) -> String {
        let text = plainly(error);
        let text = self.connection.token.as_ref().map_or(text.clone(), |token| mask_value(&text, token));
        line(&text, 300)
    }

    /// The path of an absolute URL of this very API; `None` for any other.
    fn relative(&self, url: &str) -> Option<String> {
        let rest = url.strip_prefix(self.connection.api.trim_end_matches('/'))?;
        rest.starts_with('/').then(|| rest.to_owned())
    }

    /// What a refusal means, with the remedy.
    fn refusal(&self, answer: &Answer, path: &str, method: &Method) -> ForgeError {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let message = Untrusted::bounded(said["message"].as_str().unwrap_or_default(), 300);
        let details = said["errors"].as_array().map(|all| details(all)).unwrap_or_default();
        let status = answer.status;
        let path = head(path, 200);
        let what = format!("GitHub answered {status} to {method} {path}: {}{details}", line(message.raw(), 300));
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => ForgeError::Missing(what),
            StatusCode::UNAUTHORIZED => {
                let hint = "the token is missing, wrong or expired: pass `github-token: ${{ github.token }}`";
                let trouble = ForgeError::Refused { what, hint: Some(hint.to_owned()) };
                *self.rejected.borrow_mut() = Some(trouble.clone());
                trouble
            }
            StatusCode::FORBIDDEN => {
                let hint = if message.raw().contains("not permitted to create or approve pull requests") {
                    let where_ = "Settings → Actions → General → Workflow permissions";
                    Some(format!("{where_}: `Allow GitHub Actions to create and approve pull requests`"))
                } else {
                    limit(answer, 0).is_none().then(|| permission(method, path))
                };
                ForgeError::Refused { what, hint }
            }
            _ => ForgeError::Refused { what, hint: None },
        }
    }
}

fn refused(what: String) -> ForgeError {
    ForgeError::Refused { what, hint: None }
}

fn details(errors: &[Value]) -> String {
    let words: Vec<String> = errors
        .iter()
        .take(3)
        .map(|error| {
            let part = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            let text = error
                .as_str()
                .map_or_else(|| format!("{} {} {}", part("field"), part("code"), part("message")), str::to_owned);
            line(&text, 200)
        })
        .collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join("; ")) }
}

/// The line of YAML that grants what was refused, by the API's own table of
/// permissions (docs.github.com, "Permissions required for fine-grained tokens").
fn permission(method: &Method, path: &str) -> String {
    let access = if *method == Method::GET { "read" } else { "write" };
    let scope = if path.contains("/check-runs") {
        "checks"
    } else if path.contains("/actions/") {
        "actions"
    } else if path.contains("/pulls") {
        "pull-requests"
    } else if path.contains("/issues") || path.contains("/labels") {
        return format!("the job needs `permissions: issues: {access}`, on pull requests `pull-requests: {access}`");
    } else {
        "contents"
    };
    format!("the job needs `permissions: {scope}: {access}`")
}

/// How long GitHub asks to wait, if this answer is about a limit:
/// `Retry-After`, else the reset of an exhausted primary limit, else a minute
/// for a secondary limit (docs.github.com, "Rate limits for the REST API").
fn limit(answer: &Answer, now: i64) -> Option<Duration> {
    if !matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    let number =
        |name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse::<i64>().ok());
    let seconds = |n: i64| Duration::from_secs(u64::try_from(n).unwrap_or(0));
    if let Some(wait) = number("retry-after") {
        return Some(seconds(wait));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        return Some(seconds(number("x-ratelimit-reset").unwrap_or(now) - now + 1));
    }
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    let about_limits = answer.status == StatusCode::TOO_MANY_REQUESTS || text.contains("rate limit");
    about_limits.then_some(Duration::from_secs(60))
}

fn redirect(answer: &Answer) -> Option<String> {
    let moved = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let place = answer.headers.get("location")?.to_str().ok()?;
    moved.then(|| place.to_owned())
}

/// The `next` of a `Link` header (RFC 8288).
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get("link")?.to_str().ok()?;
    links.split(',').find_map(|link| {
        let (url, rest) = link.split_once('>')?;
        rest.contains("rel=\"next\"").then(|| url.trim().trim_start_matches('<').to_owned())
    })
}

fn plainly(error: &(dyn std::error::Error + 'static)) -> String {
    // The innermost cause says what happened, those around it through which layers.
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}

fn random_byte() -> u8 {
    let mut byte = [0];
    // Without randomness the jitter is the same for all; nothing breaks.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: map, body: Bytes::from(body.to_owned()) }
    }

    #[test]
    fn limits() {
        let table: [(Answer, Option<u64>); 6] = [
            (answer(403, &[("retry-after", "7")], ""), Some(7)),
            (answer(429, &[], ""), Some(60)),
            (answer(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")], ""), Some(31)),
            (answer(403, &[], "{\"message\":\"You have exceeded a secondary rate limit\"}"), Some(60)),
            (answer(403, &[], "{\"message\":\"Resource not accessible by integration\"}"), None),
            (answer(404, &[("retry-after", "7")], ""), None),
        ];
        for (answer, seconds) in table {
            assert_eq!(limit(&answer, 1000), seconds.map(Duration::from_secs), "{answer:?}");
        }
    }

    #[test]
    fn pages_and_permissions() {
        let link = "<https://api.x/a?page=1>; rel=\"prev\", <https://api.x/a?page=3>; rel=\"next\"";
        let with = answer(200, &[("link", link)], "");
        assert_eq!(next_page(&with.headers).as_deref(), Some("https://api.x/a?page=3"));
        assert!(permission(&Method::POST, "/repos/a/b/check-runs").contains("checks: write"));
        assert!(permission(&Method::GET, "/repos/a/b/actions/artifacts").contains("actions: read"));
    }

    #[test]
    fn only_this_api_gets_the_token() {
        let connection = Connection { api: "https://h/api/v3".into(), token: None, write_gap: Duration::ZERO };
        let client = Client::new(connection).unwrap();
        assert_eq!(client.relative("https://h/api/v3/repos/a?page=2").as_deref(), Some("/repos/a?page=2"));
        for other in ["https://h/api/v33/x", "https://evil/api/v3/x", "http://h/api/v3/x", "https://h/api/v3.evil/x"] {
            assert_eq!(client.relative(other), None, "{other}");
        }
    }
}
