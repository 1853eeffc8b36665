//! Whether a text holds only what our own messages hold.
//!
//! Nothing is cleaned: what is not ours is refused. The text is read with every
//! extension that GitHub's Markdown has, so that nothing is active there which
//! was inert here.

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::{Source, cut};
use crate::model::forge::{OUR_BRANCHES, is_sha};

/// Tags that our own messages use.
const TAGS: [&str; 8] = ["<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>", "<span>", "</span>"];

/// No picture, no link but to commits, runs and issues of the repository, no
/// mention or reference, no HTML but ours, no more than fits.
pub(super) fn text(body: &str, limit: usize, source: &Source) -> Result<(), String> {
    if body.len() > limit {
        return Err(format!("its text is {} bytes long; {limit} are allowed", body.len()));
    }
    if crate::model::secret::has_token(body) {
        return Err("its text holds what looks like a secret".to_owned());
    }
    let mut running = String::new();
    let mut in_code = false;
    for event in Parser::new_ext(body, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Text(_) if in_code => {}
            // A word may come in pieces, each entity is one: a mention is one all the
            // same. A link written with an entity is none.
            Event::Text(text) => {
                no_link(&text)?;
                running.push_str(&text);
            }
            other => {
                plain(&running)?;
                running.clear();
                match other {
                    Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                        // A click takes a suggestion over: a stranger's is not handed on.
                        let known =
                            matches!(&*info, "text" | "diff" | "") || (&*info == "suggestion" && source.own_branch);
                        if !known {
                            return Err(format!("its text holds a block of `{}`", cut(&info)));
                        }
                        in_code = true;
                    }
                    Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => in_code = true,
                    Event::End(TagEnd::CodeBlock) => in_code = false,
                    other => element(&other, source)?,
                }
            }
        }
    }
    plain(&running)
}

fn element(event: &Event<'_>, source: &Source) -> Result<(), String> {
    match event {
        Event::Start(Tag::Image { .. }) => Err("its text holds a picture".to_owned()),
        Event::Start(Tag::Link { link_type, dest_url, title, .. }) => {
            if *link_type != LinkType::Inline || !title.is_empty() || !is_own_page(dest_url, source) {
                return Err(format!("its text links to {}", cut(dest_url)));
            }
            Ok(())
        }
        Event::Html(html) | Event::InlineHtml(html) => html_is_ours(html),
        Event::FootnoteReference(_)
        | Event::Start(
            Tag::FootnoteDefinition(_) | Tag::DefinitionList | Tag::MetadataBlock(_) | Tag::BlockQuote(Some(_)),
        )
        | Event::InlineMath(_)
        | Event::DisplayMath(_)
        | Event::TaskListMarker(_) => Err("its text holds a footnote, formula, alert or the like".to_owned()),
        _ => Ok(()),
    }
}

/// A commit, a workflow run or an issue of the repository.
fn is_own_page(url: &str, source: &Source) -> bool {
    let own = format!("{}/{}/", source.server, source.repository);
    let Some(rest) = url.strip_prefix(&own) else { return false };
    let number = |text: &str| !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit());
    match rest.split('/').collect::<Vec<_>>().as_slice() {
        ["commit", sha] => is_sha(sha),
        ["issues" | "pull", number_] => number(number_),
        ["compare", rest @ ..] => source.own_branch && is_comparison(&rest.join("/")),
        ["actions", "runs", run] => number(run),
        ["actions", "runs", run, "attempts", attempt] => number(run) && number(attempt),
        _ => false,
    }
}

/// Two branches, plainly written, the second one of ours.
fn is_comparison(range: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '%');
    let (base, branch) = range.trim_end_matches("?expand=1").split_once("...").unwrap_or(("", ""));
    !base.is_empty() && base.chars().all(plain) && branch.starts_with(OUR_BRANCHES) && branch.chars().all(plain)
}

fn html_is_ours(html: &str) -> Result<(), String> {
    for line in html.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if is_marker(line) {
            continue;
        }
        let mut rest = line.to_owned();
        for tag in TAGS {
            rest = rest.replace(tag, "");
        }
        // What stands between our tags is plain: no entity, no other tag.
        if rest.contains(['<', '>', '&']) {
            return Err(format!("its text holds HTML: {}", cut(line)));
        }
        no_link(&rest)?;
        plain(&rest)?;
    }
    Ok(())
}

/// A comment of ours as [`crate::plan::marker`] writes it: in it neither two
/// hyphens nor angle brackets, so that no reader sees it end early.
fn is_marker(line: &str) -> bool {
    let inner = line.strip_prefix("<!-- testmedic:").and_then(|rest| rest.strip_suffix(" -->"));
    inner.is_some_and(|inner| !inner.contains("--") && !inner.contains(['<', '>']))
}

/// No `@name` and no reference to an issue in running text.
pub(super) fn plain(text: &str) -> Result<(), String> {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let around = |at: usize, length: usize| (text[..at].chars().next_back(), text[at + length..].chars().next());
    for (at, _) in text.match_indices('@') {
        let (before, after) = around(at, 1);
        if word(after) {
            return Err(
                if word(before) { "its text holds an address" } else { "its text mentions somebody" }.to_owned()
            );
        }
    }
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let lower = text.to_ascii_lowercase();
    let referenced = text.match_indices('#').any(|(at, _)| digit(around(at, 1).1))
        || lower.match_indices("gh-").any(|(at, _)| digit(around(at, 3).1));
    if referenced {
        return Err("its text refers to an issue".to_owned());
    }
    Ok(())
}

fn no_link(text: &str) -> Result<(), String> {
    if text.contains("://") || text.to_ascii_lowercase().contains("www.") {
        return Err("its text holds a bare link".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::forge::Slug;

    fn source() -> Source {
        Source {
            reply: None,
            repository: Slug::parse("acme/shop").unwrap(),
            server: "https://github.com".into(),
            head: "ed5eb9a37e2d8231af3388319b941995f6dc8755".into(),
            pull: Some(7),
            default_branch: false,
            own_branch: false,
            head_ref: None,
            texts: std::collections::HashMap::default(),
            changed: Vec::new(),
            workflow: None,
            run: Some(1),
            attempt: 1,
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        for bad in [
            "&#64;octocat",
            "@&#111;ctocat",
            "<details>\n&#64;octocat\n</details>",
            "<summary>&commat;x</summary>",
            "中@octocat",
            "mail me@example.org",
            "a[^1]\n\n[^1]: https://github.com/acme/shop/ \"x\"",
            "[x][y]\n\n[y]: https://github.com/acme/shop/issues/1 'www.evil.example'",
            "[report](https://github.com/acme/shop/../../mallory/phish)",
            "[x](https://github.com/acme/shop/issues/1 \"title\")",
            "torvalds/linux#1",
            "see #1",
            "GH-1",
            "gh-12",
            "```suggestion\nx\n```",
            "~~~mermaid\nx\n~~~",
            "$\\Huge{x}$",
            "> [!IMPORTANT]\n> x",
            "- [ ] x",
            "<!-- testmedic:x --!><a href=//evil.example>click</a> -->",
            "<https://evil.example>",
            "www.evil.example",
        ] {
            assert!(text(bad, 1000, &source()).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1000))]

        /// Whatever a comment holds: a reply to it says nothing that is active anywhere.
        #[test]
        fn a_reply_echoes_nothing_active(
            lines in proptest::collection::vec("/(heal|hael|explain|quarantine|retry|help|not_flaky) ?[ -~\u{a0}-\u{ff}\u{200b}\u{202e}@#<>`*_!\\[\\]()|\n]{0,80}", 1..6),
            login in "[ -~]{1,30}",
        ) {
            use crate::ingest::command::{Line, read};
            use crate::render::message::reply::{Part, body};
            let scene = crate::model::forge::Scene {
                repository: Slug::parse("acme/shop").unwrap(),
                default_branch: "main".into(),
                pull: None,
                trust: crate::model::forge::Trust::Own,
                workflow: None,
                head: String::new(),
                branch: "main".into(),
                run: Some(1),
                attempt: 1,
                server: "https://github.com".into(),
                commit_at: None,
                variant: None,
                is_foreign: false,
            };
            let parts: Vec<(usize, Part)> = read(&lines.join("\n")).into_iter().map(|line| match line {
                Line::Order(order) => (0, Part::refused(&order.text, &format!("`{}` is not there", order.text))),
                Line::Slip { text, why } => (1, Part::refused(&text, &format!("{text}: {why:?}"))),
            }).collect();
            let said = body(&parts, &login, None, &scene, 60_000);
            // Words that have the form of a secret are refused for that alone.
            proptest::prop_assume!(!crate::model::secret::has_token(&said));
            proptest::prop_assert_eq!(text(&said, 60_000, &source()), Ok(()), "{}", said);
        }
    }

    #[test]
    fn what_we_write_is_admitted() {
        for good in [
            "<!-- testmedic:note {\"v\":1,\"key\":\"f1\\u002d1\"} -->\ntext",
            "[`ed5eb9a37`](https://github.com/acme/shop/commit/ed5eb9a37e2d8231af3388319b941995f6dc8755)",
            "[run](https://github.com/acme/shop/actions/runs/500/attempts/2)",
            "`@everyone #1 https://x`",
            "<span>@</span>everyone and <span>#</span>1",
            "```text\n@pytest.fixture at http://localhost:8080/ #1 <b>\n```",
            "<details><summary>🔴 regression of severity high, 91 % sure</summary>\n\nx\n\n</details>",
            "| a | b |\n|---|---|\n| `x` | +1.0 |",
            "| Too Many Requests for url&#58; https&#58;//api.example.org/x |  |",
            "`login password=abcde` and `assert /cb?secret=abc12`",
        ] {
            assert_eq!(text(good, 1000, &source()), Ok(()), "{good}");
        }
    }
}
