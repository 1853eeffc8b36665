//! The two hosts of the counterpart: the API, and the store of artifacts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::routes::{Reply, answer};
use super::{Fault, Logged, State, contract};

/// A running counterpart.
pub struct Server {
    pub api: String,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

impl Server {
    pub fn start(state: State) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let state = Arc::new(Mutex::new(state));
        let listen = || runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let (api, store) = (listen(), listen());
        let (api_at, store_at) = (api.local_addr().unwrap(), store.local_addr().unwrap());
        let for_api = Arc::clone(&state);
        runtime.spawn(serve(api, move |request| api_host(Arc::clone(&for_api), api_at, store_at, request)));
        let for_store = Arc::clone(&state);
        runtime.spawn(serve(store, move |request| store_host(Arc::clone(&for_store), request)));
        Self { api: format!("http://{api_at}"), state, _runtime: runtime }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

type Answered = Result<Response<Full<Bytes>>, String>;

async fn serve<H, F>(listener: TcpListener, handle: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Answered> + Send + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let handle = handle.clone();
        tokio::spawn(async move {
            // An error of the service closes the connection without an answer.
            let service = service_fn(handle);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn api_host(
    state: Arc<Mutex<State>>,
    api: SocketAddr,
    store: SocketAddr,
    request: Request<Incoming>,
) -> Answered {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
    let method = parts.method.as_str().to_owned();
    // An enterprise server answers below a path.
    let prefix = if parts.uri.path().starts_with("/api/v3/") { "/api/v3" } else { "" };
    let path = parts.uri.path()[prefix.len()..].to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    state.count += 1;
    let fault = state.faults.get(&state.count).copied();
    let body: Value =
        if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(json!("no JSON")) };
    let pairs = pairs(&query);
    let wrong = contract::check_request(&method, &path, &pairs, &body);
    state.breaches.extend(wrong);
    if header("user-agent").is_empty() {
        state.breaches.push("a request without User-Agent".to_owned());
    }
    if fault == Some(Fault::Dropped) {
        return Err("dropped".to_owned());
    }
    let reply = match fault {
        Some(Fault::BadGateway) => Reply::error(502, "Server Error"),
        Some(Fault::SecondaryLimit) => {
            Reply::error(403, "You have exceeded a secondary rate limit.").with("retry-after", "0")
        }
        _ if state.remaining == 0 => {
            Reply::error(403, "API rate limit exceeded").with("x-ratelimit-reset", "4102444800")
        }
        _ => answer(&mut state, &method, &path, &pairs, &body, &header("authorization"), &format!("http://{store}")),
    };
    if reply.status < 400 && fault != Some(Fault::LostAnswer) {
        let wrong = contract::check_answer(&method, &path, reply.status, &reply.body);
        state.breaches.extend(wrong);
    }
    state.remaining = state.remaining.saturating_sub(1);
    let shown = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    state.log.push(Logged { method, path: shown, status: reply.status });
    if fault == Some(Fault::LostAnswer) {
        return Err("the answer is lost".to_owned());
    }
    Ok(reply.respond(&header("if-none-match"), state.remaining, &format!("http://{api}{prefix}{path}"), &pairs))
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let mut out = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let hex: Vec<u8> = bytes.by_ref().take(2).collect();
                out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            } else {
                out.push(if byte == b'+' { b' ' } else { byte });
            }
        }
        String::from_utf8(out).unwrap()
    };
    query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| p.split_once('=').unwrap_or((p, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

/// The store: signed addresses, no token welcome.
async fn store_host(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Answered {
    let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    state.downloads += 1;
    state.leaked |= request.headers().contains_key("authorization");
    let id: u64 = request.uri().path().trim_start_matches("/blob/").parse().unwrap_or(0);
    let found = state.artifacts.iter().find(|a| a.id == id && request.uri().query() == Some("sig=short-lived"));
    let response = match found {
        Some(artifact) => Response::builder().status(200).body(Full::from(artifact.bytes.clone())),
        None => Response::builder().status(403).body(Full::from("no signature")),
    };
    Ok::<_, Infallible>(response.unwrap()).map_err(|e| match e {})
}
