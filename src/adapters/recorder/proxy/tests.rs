use std::sync::atomic::{AtomicU32, Ordering};

use http::header::RETRY_AFTER;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::adapters::recorder::Recorder;

/// A service that refuses, streams, redirects and switches, as real ones do.
struct Behind {
    refused: AtomicU32,
    posts: AtomicU32,
}

fn reply(status: u16, body: &str) -> Response<Out> {
    let mut response = Response::new(text(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

impl Behind {
    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Out> {
        let with = |status: u16, name: HeaderName, value: &str| {
            let mut response = reply(status, "");
            response.headers_mut().insert(name, value.parse().unwrap());
            response
        };
        match request.uri().path() {
            "/v1/refused" if self.refused.fetch_add(1, Ordering::SeqCst) < 3 => with(429, RETRY_AFTER, "1"),
            "/v1/forever" => with(429, RETRY_AFTER, "100000"),
            "/v1/post" => {
                self.posts.fetch_add(1, Ordering::SeqCst);
                with(503, RETRY_AFTER, "1")
            }
            "/v1/echo" => {
                let version = format!("{:?}", request.version());
                let seen = request.headers().get(traffic::TEST_HEADER).is_some();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                reply(200, &format!("{version} {} {seen}", body.len()))
            }
            "/v1/many" => {
                let piece = Bytes::from(vec![b'x'; 64 << 10]);
                let pieces = (0..200).map(move |_| Ok::<_, Trouble>(Frame::data(piece.clone())));
                Response::new(BodyExt::boxed(StreamBody::new(futures_util::stream::iter(pieces))))
            }
            "/v1/aside" => with(302, LOCATION, "/v1/echo"),
            "/v1/same" => with(304, CONTENT_LENGTH, "123"),
            path if path.starts_with("/v1/raw") => {
                let names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
                reply(200, &format!("{} {}", request.uri(), names.join(",")))
            }
            "/v1/moved" => {
                let to = format!("http://{}/v1/echo", request.headers()[HOST].to_str().unwrap());
                with(302, LOCATION, &to)
            }
            "/v1/socket" => {
                let on = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let mut stream = TokioIo::new(on.await.unwrap());
                    let mut word = [0; 4];
                    stream.read_exact(&mut word).await.unwrap();
                    word.reverse();
                    stream.write_all(&word).await.unwrap();
                });
                let mut response = reply(101, "");
                response.headers_mut().insert(UPGRADE, "websocket".parse().unwrap());
                response.headers_mut().insert(CONNECTION, "upgrade".parse().unwrap());
                response
            }
            _ => reply(200, "ok"),
        }
    }
}

/// A service, a recorder, and the address of a proxy between them.
async fn between() -> (Arc<Behind>, Recorder, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Arc::new(Behind { refused: AtomicU32::new(0), posts: AtomicU32::new(0) });
    let own = Arc::clone(&service);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let own = Arc::clone(&own);
            tokio::spawn(async move {
                let answer = hyper::service::service_fn(move |request| {
                    let own = Arc::clone(&own);
                    async move { Ok::<_, std::convert::Infallible>(own.answer(request).await) }
                });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), answer).await;
            });
        }
    });
    let recorder = Recorder::start(false).unwrap();
    let upstream = format!("API=http://{address}/v1").parse().unwrap();
    let (variable, proxy) = recorder.start_proxy(&upstream, true).unwrap();
    assert_eq!(variable, "API");
    (service, recorder, proxy)
}

/// `METHOD path status size` of what was recorded.
fn seen(recorder: &Recorder) -> Vec<String> {
    let size = |body: &exchange::Body| match body {
        exchange::Body::Empty => 0,
        exchange::Body::Json(value) => value.to_string().len() as u64,
        exchange::Body::Text(text) => text.len() as u64,
        exchange::Body::Cut(_, size) | exchange::Body::Opaque(size) => *size,
    };
    let told = |e: &Exchange| {
        let answer = e.response.as_ref().map_or("-".to_owned(), |r| format!("{} {}", r.status, size(&r.body)));
        format!("{} {} {answer}", e.line(), size(&e.request.body))
    };
    recorder.end().exchanges.iter().map(told).collect()
}

#[tokio::test]
async fn both_versions_and_large_bodies_stream_through() {
    let (_, recorder, proxy) = between().await;
    let first = reqwest::Client::builder().no_proxy().build().unwrap();
    let second = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let large = vec![b'y'; 3 << 20];
    for (client, version) in [(&first, "HTTP/1.1"), (&second, "HTTP/2.0")] {
        let sent = client.post(format!("{proxy}/echo")).header("X-Testmedic-Test", "a%20b").body(large.clone());
        let answer = sent.send().await.unwrap().text().await.unwrap();
        assert_eq!(answer, format!("{version} {} false", large.len()));
    }
    let many = first.get(format!("{proxy}/many")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(many.len(), 200 * (64 << 10));
    // A redirect to the service leads through the proxy again.
    let moved = first.get(format!("{proxy}/moved")).send().await.unwrap();
    assert_eq!(moved.url().as_str(), format!("{proxy}/echo"));
    let recorded = recorder.so_far();
    assert_eq!(recorded[0].test.as_deref(), Some("a b"));
    let (size, large) = (200 * (64 << 10), large.len());
    assert_eq!(
        seen(&recorder),
        [
            format!("POST /v1/echo {large} 200 22"),
            format!("POST /v1/echo {large} 200 22"),
            format!("GET /v1/many 0 200 {size}"),
            "GET /v1/moved 0 302 0".to_owned(),
            "GET /v1/echo 0 200 16".to_owned(),
        ]
    );
}

/// What is sent over a connection as it stands here, and all that comes back.
async fn raw(proxy: &str, text: &str, breaks: bool) -> String {
    let host = proxy.trim_start_matches("http://").trim_end_matches("/v1");
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    if breaks {
        stream.shutdown().await.unwrap();
    }
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn requests_go_on_as_they_came() {
    let (service, recorder, proxy) = between().await;
    let path = "/v1/raw/..%2fx/./a%27'b//c?q=%20+a&q";
    let answer =
        raw(&proxy, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Odd-CASE: 1\r\n\r\n"), false)
            .await;
    assert!(answer.ends_with(&format!("{path} x-odd-case,host")), "{answer}");
    // The service here tells the time itself: nobody else does.
    assert_eq!(answer.matches("date:").count() + answer.matches("Date:").count(), 1, "{answer}");
    // A path alone leads to where it would without us.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let aside = client.get(format!("{proxy}/aside")).send().await.unwrap();
    assert_eq!((aside.status().as_u16(), aside.url().as_str()), (200, format!("{proxy}/echo").as_str()));
    assert_eq!(client.get(format!("{proxy}/same")).send().await.unwrap().status(), 304);
    for odd in [
        "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nConnection: close\r\n\r\n",
    ] {
        assert!(raw(&proxy, odd, false).await.starts_with("HTTP/1.1 501"), "{odd}");
    }
    // Half a request is sent to nobody.
    let put = "PUT /v1/refused HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf";
    let broken = raw(&proxy, put, true).await;
    assert!(broken.is_empty() || broken.starts_with("HTTP/1.1 400"), "{broken}");
    assert_eq!(service.refused.load(Ordering::SeqCst), 0);
    let troubles: Vec<Option<String>> = recorder.end().exchanges.into_iter().map(|e| e.trouble).collect();
    assert_eq!(troubles.iter().filter(|t| t.is_some()).count(), 3, "{troubles:?}");
}

#[tokio::test]
async fn only_what_may_be_repeated_is() {
    let (service, recorder, proxy) = between().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.get(format!("{proxy}/refused")).send().await.unwrap().status(), 200);
    assert_eq!(client.get(format!("{proxy}/forever")).send().await.unwrap().status(), 429);
    assert_eq!(client.post(format!("{proxy}/post")).body("x").send().await.unwrap().status(), 503);
    assert_eq!(service.posts.load(Ordering::SeqCst), 1);
    let recorded = recorder.end();
    let waits: Vec<(u16, f64)> = recorded.waits.iter().map(|w| (w.status, w.seconds)).collect();
    assert_eq!(waits, [(429, 1.0), (429, 1.0), (429, 1.0)]);
    let statuses: Vec<u16> = recorded.exchanges.iter().filter_map(|e| e.response.as_ref()).map(|r| r.status).collect();
    assert_eq!(statuses, [429, 429, 429, 200, 429, 503]);
}

#[tokio::test]
async fn sockets_are_connected_through() {
    let (_, recorder, proxy) = between().await;
    let mut stream =
        tokio::net::TcpStream::connect(proxy.trim_start_matches("http://").trim_end_matches("/v1")).await.unwrap();
    let asked = "GET /v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream.write_all(b"abcd").await.unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"dcba");
    assert_eq!(seen(&recorder), ["GET /v1/socket 0 101 0"]);
}

#[tokio::test]
async fn a_service_that_is_not_there() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let recorder = Recorder::start(false).unwrap();
    let (_, proxy) = recorder.start_proxy(&"http://127.0.0.1:9".parse().unwrap(), true).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{proxy}/x")).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    assert!(answer.text().await.unwrap().contains("did not answer"));
    assert!(recorder.end().exchanges[0].trouble.is_some());
}

#[test]
fn addresses_of_services() {
    let told = |text: &str| text.parse::<Upstream>().map(|u| format!("{} {}", u.variable, u.url));
    for (text, expected) in [
        ("http://h:1/api", Ok("BASE_URL http://h:1/api")),
        ("API_URL=https://h/x?a=b", Ok("API_URL https://h/x?a=b")),
        ("http://h/?a=b", Ok("BASE_URL http://h/?a=b")),
        ("ftp://h", Err("`ftp://h/` is no address of an HTTP service: http://… or https://…")),
        ("localhost:80", Err("`localhost:80` is no address of an HTTP service: http://… or https://…")),
    ] {
        assert_eq!(told(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
    }
}

/// What the proxy costs: the median of 2,000 requests with it and without.
#[tokio::test]
#[ignore = "a measurement: cargo test --release --lib proxy::tests::overhead -- --ignored --nocapture"]
async fn overhead() {
    let (_, recorder, proxy) = between().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let first = client.get(format!("{proxy}/origin")).send().await.unwrap();
    assert_eq!(first.status(), 200);
    let origin = recorder.so_far()[0].request.origin.clone();
    let mut medians = Vec::new();
    for address in [format!("{origin}/v1/x"), format!("{proxy}/x")] {
        let mut times = Vec::new();
        for _ in 0..2000 {
            let begun = Instant::now();
            client.get(&address).send().await.unwrap().bytes().await.unwrap();
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        medians.push(times[1000]);
    }
    println!(
        "direct {:.3} ms, through the proxy {:.3} ms: {:.3} ms more",
        medians[0],
        medians[1],
        medians[1] - medians[0]
    );
    assert!(medians[1] - medians[0] < 1.0);
}
