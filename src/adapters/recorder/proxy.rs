//! A reverse proxy that stands before a service while tests ask it.
//!
//! Bodies stream through in both directions, whatever their size; of each the
//! beginning is kept. WebSockets are connected through. Where an answer asks for a
//! short wait, a request that may be repeated (RFC 9110, 9.2.2) is sent again in
//! flight; that is told, and never done to any other. All else goes on as it came:
//! paths are not tidied, no header is added. The path of the service's own address is
//! part of the address that tests are given, so that redirects and cookies fit.

use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, LOCATION, TE, UPGRADE};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::Recording;
use crate::error::Problem;
use crate::ingest::traffic::{self, masking, retry_after};
use crate::model::exchange::{self, Exchange};
use crate::model::time;

/// Seconds that one wait in flight may take, that all of a run may take together, and
/// how often one request is sent again: clients give up themselves after half a minute.
const LONGEST: u64 = 20;
const TOGETHER: f64 = 120.0;
const AGAIN: u32 = 6;
/// Bytes of a body that is held back to be sent again.
const REPEATABLE: u64 = 1 << 20;

type Trouble = Box<dyn std::error::Error + Send + Sync>;
type Out = http_body_util::combinators::BoxBody<Bytes, Trouble>;
type Service = Client<HttpsConnector<HttpConnector>, Out>;

/// A service, and the variable that tells tests where to ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Name of a variable.
    pub variable: String,
    /// Where it is.
    pub url: reqwest::Url,
}

impl FromStr for Upstream {
    type Err = String;

    /// `URL`, or `VARIABLE=URL`.
    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let (variable, url) = match text.split_once('=') {
            Some((name, url)) if is_name(name) => (name, url),
            _ => ("BASE_URL", text),
        };
        let url: reqwest::Url = url.parse().map_err(|e| format!("`{url}` is no address: {e}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("`{url}` is no address of an HTTP service: http://… or https://…"));
        }
        Ok(Self { variable: variable.to_owned(), url })
    }
}

/// What all connections share.
struct Proxy {
    /// Scheme, host and port of the service.
    origin: String,
    /// Our own.
    own: String,
    plain: Service,
    /// For services that speak HTTP/2 without TLS.
    second: Service,
    kept: Arc<Mutex<Recording>>,
    retries: bool,
}

/// Starts one; gives its origin, such as `http://127.0.0.1:40123`.
pub(super) fn start(upstream: &Upstream, kept: Arc<Mutex<Recording>>, retries: bool) -> Result<String, Problem> {
    let failed = |e: std::io::Error| Problem::failed("there is no room for a proxy").because(e);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let own = format!("http://{}", listener.local_addr().map_err(failed)?);
    let proxy = Arc::new(Proxy {
        origin: upstream.url.origin().ascii_serialization(),
        own: own.clone(),
        plain: client(false)?,
        second: client(true)?,
        kept,
        retries,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    std::thread::spawn(move || runtime.block_on(serve(listener, proxy)));
    Ok(own)
}

/// What asks the service: at its own address, whatever proxy this machine has.
fn client(second: bool) -> Result<Service, Problem> {
    let unable = |e: std::io::Error| Problem::failed("there is no client for the proxy").because(e);
    let mut plain = HttpConnector::new();
    plain.set_nodelay(true);
    plain.enforce_http(false);
    let provider = rustls::crypto::ring::default_provider();
    let https = HttpsConnectorBuilder::new().with_provider_and_platform_verifier(provider).map_err(unable)?;
    let connector = https.https_or_http().enable_all_versions().wrap_connector(plain);
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).http1_preserve_header_case(true).http2_only(second);
    Ok(builder.build(connector))
}

async fn serve(listener: std::net::TcpListener, proxy: Arc<Proxy>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let proxy = Arc::clone(&proxy);
                async move { Ok::<_, std::convert::Infallible>(proxy.answer(request).await) }
            });
            let mut server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            server.http1().preserve_header_case(true).auto_date_header(false);
            server.http2().auto_date_header(false);
            let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

/// What is known of a request before it is answered.
struct Asked {
    test: Option<String>,
    begun: f64,
    clock: Instant,
    request: exchange::Request,
    /// The beginning of its body, and its size.
    sent: Arc<Mutex<Piece>>,
}

/// The beginning of a body.
#[derive(Debug, Default)]
struct Piece {
    bytes: Vec<u8>,
    size: u64,
}

impl Piece {
    fn add(&mut self, data: &[u8]) {
        self.size += data.len() as u64;
        let room = traffic::BODY.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&data[..room.min(data.len())]);
    }

    fn body(&self) -> exchange::Body {
        traffic::body_of(&self.bytes, self.size)
    }
}

impl Proxy {
    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Out> {
        let asked = self.ask(&mut request);
        // `CONNECT host:port` and `OPTIONS *` name no place of the service.
        let path = request.uri().path_and_query().filter(|path| path.as_str().starts_with('/'));
        let target = path.and_then(|path| format!("{}{path}", self.origin).parse::<Uri>().ok());
        let Some(target) = target else {
            let why = format!("{} {} cannot be sent on", request.method(), request.uri());
            return self.refuse(&asked, StatusCode::NOT_IMPLEMENTED, why);
        };
        let is_switch = request.headers().contains_key(UPGRADE) && request.version() <= Version::HTTP_11;
        let client_side = is_switch.then(|| hyper::upgrade::on(&mut request));
        pass_on(request.headers_mut(), is_switch);
        request.headers_mut().remove(HOST);
        let is_second = request.version() == Version::HTTP_2 && self.origin.starts_with("http:");
        *request.version_mut() = if is_second { Version::HTTP_2 } else { Version::HTTP_11 };
        *request.uri_mut() = target;
        let client = if is_second { &self.second } else { &self.plain };
        let may_repeat = self.retries && request.method().is_idempotent() && !is_switch;
        let held = request.body().size_hint().upper().is_some_and(|size| size <= REPEATABLE);
        let (parts, body) = request.into_parts();
        let result = if may_repeat && held {
            // What broke off on its way here is no request.
            let whole = match body.collect().await {
                Ok(whole) => whole.to_bytes(),
                Err(error) => {
                    let why = format!("the request broke off: {error}");
                    return self.refuse(&asked, StatusCode::BAD_REQUEST, why);
                }
            };
            piece(&asked.sent).add(&whole);
            let send = || client.request(Request::from_parts(parts.clone(), full(whole.clone())));
            self.repeat(&asked, send).await
        } else {
            let body = Tee { inner: body, piece: Arc::clone(&asked.sent), end: None::<fn()> };
            client.request(Request::from_parts(parts, body.map_err(|e| Box::new(e) as Trouble).boxed())).await
        };
        match (result, client_side) {
            (Ok(response), Some(client_side)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.switch(&asked, response, client_side)
            }
            (Ok(response), _) => self.hand_back(asked, response),
            (Err(error), _) => {
                self.refuse(&asked, StatusCode::BAD_GATEWAY, format!("the service did not answer: {}", causes(&error)))
            }
        }
    }

    /// What a request is, without the name of its test, which is not for the service.
    fn ask(&self, request: &mut Request<Incoming>) -> Asked {
        let named = request.headers_mut().remove(traffic::TEST_HEADER);
        let named = named.and_then(|v| v.to_str().ok().map(masking::unescape));
        let uri = request.uri();
        let (_, path, query) = traffic::address(uri.path_and_query().map_or("/", |p| p.as_str()));
        Asked {
            test: named.or_else(|| self.kept.lock().unwrap_or_else(PoisonError::into_inner).present.clone()),
            begun: now(),
            clock: Instant::now(),
            request: exchange::Request {
                method: request.method().as_str().to_owned(),
                origin: self.origin.clone(),
                path,
                query,
                headers: pairs(request.headers()),
                body: exchange::Body::Empty,
            },
            sent: Arc::default(),
        }
    }

    /// Sends a request, and again where an answer asks for a wait within bounds. Each
    /// refusal is recorded as what it is.
    async fn repeat<F>(&self, asked: &Asked, send: impl Fn() -> F) -> Result<Response<Incoming>, Error>
    where
        F: Future<Output = Result<Response<Incoming>, Error>>,
    {
        for _ in 0..AGAIN {
            let response = send().await?;
            let Some(seconds) = self.wait_for(&response) else { return Ok(response) };
            let status = response.status().as_u16();
            let headers = pairs(response.headers());
            let mut whole = Piece::default();
            let mut body = response.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                if let Some(data) = frame.data_ref() {
                    whole.add(data);
                }
            }
            let came = exchange::Response { status, headers, body: whole.body() };
            self.keep(asked, Some(came), None);
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).wait(&asked.request, status, seconds);
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        }
        send().await
    }

    /// The seconds that an answer asks to wait, where that is within bounds.
    fn wait_for(&self, response: &Response<Incoming>) -> Option<f64> {
        if !matches!(response.status().as_u16(), 429 | 503) {
            return None;
        }
        let hint = retry_after::wait(&pairs(response.headers()), crate::adapters::system::now())?;
        let waited: f64 =
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).waits.iter().map(|w| w.seconds).sum();
        let seconds = hint.seconds as f64;
        (hint.seconds <= LONGEST && waited + seconds <= TOGETHER).then_some(seconds)
    }

    /// Streams an answer back, and records it when it has ended.
    fn hand_back(self: Arc<Self>, asked: Asked, response: Response<Incoming>) -> Response<Out> {
        let (mut parts, body) = response.into_parts();
        let (status, headers) = (parts.status.as_u16(), pairs(&parts.headers));
        pass_on(&mut parts.headers, false);
        if parts.status == StatusCode::NOT_MODIFIED {
            // It tells the length of a body that is not there (RFC 9110, 15.4.5).
            parts.headers.remove(CONTENT_LENGTH);
        }
        self.redirect(&mut parts.headers);
        parts.version = Version::HTTP_11;
        let came = Arc::new(Mutex::new(Piece::default()));
        let seen = Arc::clone(&came);
        let end = move || {
            let body = piece(&seen).body();
            self.keep(&asked, Some(exchange::Response { status, headers, body }), None);
        };
        let body = Tee { inner: body, piece: came, end: Some(end) };
        Response::from_parts(parts, body.map_err(|e| Box::new(e) as Trouble).boxed())
    }

    /// Redirects to the service lead to us.
    fn redirect(&self, headers: &mut HeaderMap) {
        let to = headers.get(LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("");
        let rest = to.strip_prefix(&self.origin).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        if let Some(Ok(here)) = rest.map(|rest| format!("{}{rest}", self.own).parse()) {
            headers.insert(LOCATION, here);
        }
    }

    fn switch(
        &self,
        asked: &Asked,
        mut response: Response<Incoming>,
        client_side: hyper::upgrade::OnUpgrade,
    ) -> Response<Out> {
        let came = exchange::Response { status: 101, headers: pairs(response.headers()), body: exchange::Body::Empty };
        self.keep(asked, Some(came), None);
        let service_side = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            let (Ok(client), Ok(service)) = (client_side.await, service_side.await) else { return };
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(service)).await;
        });
        response.map(|_| text(""))
    }

    /// Answers in the place of a service, and records why.
    fn refuse(&self, asked: &Asked, status: StatusCode, why: String) -> Response<Out> {
        let mut out = Response::new(text(&format!("testmedic: {why}\n")));
        *out.status_mut() = status;
        self.keep(asked, None, Some(why));
        out
    }

    fn keep(&self, asked: &Asked, response: Option<exchange::Response>, trouble: Option<String>) {
        let mut request = asked.request.clone();
        request.body = piece(&asked.sent).body();
        #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
        let at = time::Timestamp::from_unix(asked.begun as i64);
        let exchange = Exchange {
            test: asked.test.clone(),
            at: Some(at),
            millis: Some(asked.clock.elapsed().as_secs_f64() * 1000.0),
            request,
            response,
            trouble,
        };
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).take(asked.begun, exchange);
    }
}

fn piece(shared: &Mutex<Piece>) -> std::sync::MutexGuard<'_, Piece> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

fn text(text: &str) -> Out {
    full(Bytes::copy_from_slice(text.as_bytes()))
}

fn full(bytes: Bytes) -> Out {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// What went wrong, and why.
fn causes(error: &Error) -> String {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        why = format!("{why}: {inner}");
        cause = inner.source();
    }
    why
}

fn pairs(headers: &HeaderMap) -> exchange::Headers {
    let all = headers.iter().filter(|(name, _)| name.as_str() != traffic::TEST_HEADER);
    traffic::headers(
        all.map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())),
    )
}

/// Takes out what is meant for one connection only (RFC 9110, 7.6.1).
fn pass_on(headers: &mut HeaderMap, is_switch: bool) {
    if is_switch {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let fixed = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
    for name in listed.into_iter().chain(fixed.iter().filter_map(|n| n.parse().ok())) {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|te| te != "trailers") {
        headers.remove(TE);
    }
}

/// A body that is looked at while it streams; at its end, or when nobody wants the
/// rest, `end` is called.
struct Tee<B, F: FnOnce()> {
    inner: B,
    piece: Arc<Mutex<Piece>>,
    end: Option<F>,
}

impl<B: Body<Data = Bytes> + Unpin, F: FnOnce() + Unpin> Body for Tee<B, F> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let own = self.get_mut();
        let polled = Pin::new(&mut own.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    piece(&own.piece).add(data);
                }
            }
            Poll::Ready(_) => own.end.take().into_iter().for_each(|end| end()),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B, F: FnOnce()> Drop for Tee<B, F> {
    fn drop(&mut self) {
        self.end.take().into_iter().for_each(|end| end());
    }
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "a measurement is printed")]
mod tests;
