//! A request as a command that sends it, and as the smallest test.

use crate::agent::generator::TestDraft;
use crate::code::style::check::Check;
use crate::code::style::piece::settled;
use crate::model::exchange::{Body, Exchange, is_inside};
use crate::model::forge::percent;
use crate::model::secret::MASK;

/// A request as a command. What was masked stays so, and a comment behind it says so.
#[must_use]
pub fn curl(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let origin = if is_inside(&request.origin) { "$BASE_URL" } else { request.origin.as_str() };
    let query: Vec<String> = request.query.iter().map(|(k, v)| format!("{}={}", percent(k), percent(v))).collect();
    let question = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let mut out =
        format!("curl -i -X {} \"{origin}\"{}", request.method, quoted(&format!("{}{question}", request.path)));
    for (name, value) in &request.headers.0 {
        let is_own = ["host", "content-length", "connection", "accept-encoding", "user-agent", "accept"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own));
        if !is_own {
            out.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
        }
    }
    match &request.body {
        Body::Json(value) => out.push_str(&format!(" -d {}", quoted(&value.to_string()))),
        Body::Text(text) => out.push_str(&format!(" -d {}", quoted(text))),
        _ => {}
    }
    if out.contains("secret-") || out.contains(MASK) {
        out.push_str("  # what stands as `secret-N` was masked: put your own in its place");
    }
    out
}

/// The smallest test that shows a defect: the request, and what would be right.
#[must_use]
pub fn reproducing(draft: &TestDraft) -> String {
    let mut test = draft.bare();
    let last = draft.asks.len().saturating_sub(1);
    let right = draft.asks.last().and_then(|(_, right)| right.first()).copied().unwrap_or(400);
    test.checks.push((last, Check::Status(right)));
    let folder = draft.exemplar.file.rsplit_once('/').map_or("", |(folder, _)| folder);
    draft.exemplar.write(&test, folder).map_or(String::new(), |written| settled(&written.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exchange::{Headers, Request};

    #[test]
    fn requests_as_commands() {
        let mut request = Request::get("/users/a'b");
        request.method = "POST".to_owned();
        request.query.push(("q".to_owned(), "a b".to_owned()));
        request.headers =
            Headers(vec![("Host".to_owned(), "x".to_owned()), ("Authorization".to_owned(), "secret-1".to_owned())]);
        request.body = Body::Json(serde_json::json!({"name": "it's"}));
        let exchange = Exchange { test: None, at: None, millis: None, request, response: None, trouble: None };
        assert_eq!(
            curl(&exchange),
            r#"curl -i -X POST "$BASE_URL"'/users/a'\''b?q=a%20b' -H 'Authorization: secret-1' -d '{"name":"it'\''s"}'  # what stands as `secret-N` was masked: put your own in its place"#
        );
    }
}
