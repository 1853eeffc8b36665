//! How fast shapes are learned: a million exchanges of a hundred endpoints, beside
//! serde_json writing the same bodies. `cargo bench --bench traffic`.

#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::allow_attributes,
    missing_docs,
    reason = "a measurement"
)]

use std::time::Instant as Clock;

use serde_json::json;
use testmedic::model::exchange::{Body, Exchange, Headers, Request, Response};
use testmedic::model::time::Timestamp;
use testmedic::traffic::api_model::ApiModel;
use testmedic::traffic::template::Templates;

/// Exchanges in all, and in one round: rounds keep the memory of the measurement small.
const ALL: usize = 1_000_000;
const ROUND: usize = 10_000;

fn exchange(n: usize) -> Exchange {
    let body = json!({
        "id": n,
        "email": format!("user{n}@example.org"),
        "state": (["open", "closed", "pending"][n % 3]),
        "created_at": format!("2026-05-{:02}T10:00:00Z", n % 28 + 1),
        "tags": ["a", "b"],
        "address": {"street": format!("Street {n}"), "city": "London", "zip": null},
        "score": (n as f64 / 7.0),
    });
    Exchange {
        test: None,
        at: None,
        millis: None,
        trouble: None,
        request: Request::get(&format!("/things{}/{n}", n % 100)),
        response: Some(Response {
            status: 200,
            headers: Headers(vec![("Content-Type".to_owned(), "application/json".to_owned())]),
            body: Body::Json(body),
        }),
    }
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let rounds: Vec<Vec<Exchange>> = (0..4).map(|r| (0..ROUND).map(|n| exchange(r * ROUND + n)).collect()).collect();
    let before = peak_mb();
    let (mut learning, mut writing, mut bytes) = (0.0, 0.0, 0);
    let mut memory = ApiModel::default();
    for round in 0..ALL / ROUND {
        let exchanges = &rounds[round % rounds.len()];
        let begun = Clock::now();
        let templates = Templates::default().taught(exchanges.iter().map(|e| e.request.path.as_str()));
        memory.merge(&ApiModel::of(exchanges, &templates, Timestamp::from_unix(0)));
        learning += begun.elapsed().as_secs_f64();
        let begun = Clock::now();
        for exchange in exchanges {
            if let Some(Body::Json(value)) = exchange.response.as_ref().map(|r| &r.body) {
                bytes += value.to_string().len();
            }
        }
        writing += begun.elapsed().as_secs_f64();
    }
    println!("| 1,000,000 exchanges, one core | seconds | exchanges/s | × serde_json |\n|---|--:|--:|--:|");
    println!(
        "| serde_json writes the same bodies ({} MB) | {writing:.2} | {:.0} | 1.00 |",
        bytes >> 20,
        ALL as f64 / writing
    );
    println!(
        "| shapes of {} kinds of answers | {learning:.2} | {:.0} | {:.2} |",
        memory.kinds.len(),
        ALL as f64 / learning,
        writing / learning
    );
    println!("\npeak {} MB, of which {before} MB are the exchanges of the measurement", peak_mb());
}
