//! Checks that a text contains only what testmedic's own messages contain.
//!
//! Every text is checked twice: when a saved plan is validated, and right before the request, after the
//! text was combined with comments that already exist. Texts are rejected, never cleaned. The parser has
//! the extensions of GitHub's Markdown and no others, so that both read a text in the same way.

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::model::forge::{OUR_BRANCHES, RepoSlug, RunContext, is_sha};
use crate::model::secret::has_token;
use crate::model::text::is_invisible;
use crate::plan::action::{Action, Annotation, BODY_LIMIT, CommitDraft, SUMMARY_LIMIT};
use crate::plan::marker;
use crate::render::message::heal::is_inert;

/// Size limit of a commit message in bytes.
const MESSAGE: usize = 20_000;
/// Size limit of an annotation in bytes.
const ANNOTATION: usize = 16_000;
/// Size limit of a title in bytes.
const TITLE: usize = 1000;

/// The rules for texts: where links may point, and what the origin of a text allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRules {
    /// The repository that receives the texts.
    pub repository: RepoSlug,
    /// Web address of the code host. Links may only point to pages of the repository there.
    pub server: String,
    /// Where the texts come from.
    pub origin: Origin,
}

/// The job that composed a text. Later variants allow more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A job that ran code of a fork. Suggestions and branch comparisons are rejected, because one click
    /// accepts them.
    Fork,
    /// A job that ran code of a branch of the repository.
    OwnBranch,
    /// The current process. Charts are allowed too.
    ThisRun,
}

impl TextRules {
    /// Returns the rules for texts that the current process composes.
    #[must_use]
    pub fn of_this_run(scene: &RunContext) -> Self {
        Self { repository: scene.repository.clone(), server: scene.server.clone(), origin: Origin::ThisRun }
    }

    /// Checks all texts of an action in their final form.
    ///
    /// # Errors
    /// The reason why a text is rejected.
    pub fn check(&self, action: &Action) -> Result<(), String> {
        match action {
            Action::OpenIssue { title, body, .. } | Action::OpenPullRequest { title, body, .. } => {
                line(title)?;
                self.markdown(body, BODY_LIMIT)
            }
            Action::UpdateIssue { body, .. } | Action::ReopenIssue { body, .. } | Action::CloseIssue { body, .. } => {
                // People may add text before and after our part; it is not checked.
                match marker::split(body) {
                    Some((_, ours, _)) if body.len() <= BODY_LIMIT => self.markdown(ours, BODY_LIMIT),
                    _ => self.markdown(body, BODY_LIMIT),
                }
            }
            Action::Comment { body, .. } => self.markdown(body, BODY_LIMIT),
            Action::Review { comments, .. } => {
                comments.iter().try_for_each(|comment| self.markdown(&comment.body, BODY_LIMIT))
            }
            Action::CheckRun { title, summary, annotations, .. } => {
                line(title)?;
                annotations.iter().try_for_each(annotation)?;
                self.markdown(summary, SUMMARY_LIMIT)
            }
            Action::PushBranch { commits, .. } => commits.iter().try_for_each(message),
            Action::RecordRun { .. }
            | Action::DispatchWorkflow { .. }
            | Action::React { .. }
            | Action::RerunJobs { .. } => Ok(()),
        }
    }

    /// Checks a Markdown text. It must not contain images, mentions, issue references, links except to
    /// pages of the repository, HTML except [`TAGS`], or invisible characters.
    ///
    /// # Errors
    /// The reason why the text is rejected.
    pub fn markdown(&self, body: &str, limit: usize) -> Result<(), String> {
        if body.len() > limit {
            return Err(format!("its text is {} bytes long; {limit} are allowed", body.len()));
        }
        if has_token(body) {
            return Err("its text holds what looks like a secret".to_owned());
        }
        reject_invisible(body)?;
        markdown(body, self)
    }
}

/// Checks a title: a single line without mentions and references.
fn line(title: &str) -> Result<(), String> {
    if title.contains('\n') || title.len() > TITLE {
        return Err("its title is no single line".to_owned());
    }
    if has_token(title) {
        return Err("its title holds what looks like a secret".to_owned());
    }
    reject_invisible(title)?;
    plain(title)
}

/// Checks a commit message: no mentions, references, or keywords that close issues or skip workflows.
fn message(commit: &CommitDraft) -> Result<(), String> {
    let fine = commit.message.len() <= MESSAGE && commit.message.lines().all(is_inert);
    if !fine || has_token(&commit.message) || reject_invisible(&commit.message).is_err() {
        return Err("a commit's message is too long, or says what ours never says".to_owned());
    }
    Ok(())
}

/// Checks an annotation, which GitHub shows as plain text.
fn annotation(annotation: &Annotation) -> Result<(), String> {
    if annotation.message.len() > ANNOTATION || annotation.title.len() > TITLE {
        return Err("an annotation is too long".to_owned());
    }
    if has_token(&annotation.message) || has_token(&annotation.title) {
        return Err("an annotation holds what looks like a secret".to_owned());
    }
    reject_invisible(&annotation.message).and_then(|()| reject_invisible(&annotation.title))
}

/// Rejects characters that are invisible, change the direction of text, or control a terminal. Text from
/// reports loses them when it is parsed.
fn reject_invisible(text: &str) -> Result<(), String> {
    // Titles have no markup, so a word joiner after `@` prevents mentions there.
    let hides = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{2060}' => false,
        '\u{2028}' | '\u{2029}' => true,
        other => other.is_control() || is_invisible(other),
    };
    match text.chars().find(|c| hides(*c)) {
        None => Ok(()),
        Some(c) => Err(format!("its text contains the invisible character U+{:04X}", u32::from(c))),
    }
}

/// Shortens a quoted text to one line.
fn shortened(text: &str) -> String {
    crate::render::terminal::line(text, 200)
}

/// Tags that our own messages use.
const TAGS: [&str; 8] = ["<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>", "<span>", "</span>"];

/// The extensions of GitHub's Markdown. Others would hide text here that GitHub renders.
fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM
}

fn markdown(body: &str, rules: &TextRules) -> Result<(), String> {
    let mut running = String::new();
    let mut in_code = false;
    let mut depth = 0;
    for (event, range) in Parser::new_ext(body, options()).into_offset_iter() {
        if let Event::Text(text) = &event {
            reject_invisible(text)?;
        }
        match event {
            Event::Text(_) if in_code => {}
            // Entities split a word into several events, so mentions are searched in the joined
            // text. GitHub does not link a URL that contains an entity.
            Event::Text(text) => {
                no_link(&text)?;
                running.push_str(&text);
            }
            other => {
                plain(&running)?;
                if matches!(other, Event::Start(Tag::Link { .. })) && ends_in_closing_keyword(&running) {
                    return Err("its text closes an issue".to_owned());
                }
                running.clear();
                match other {
                    Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                        // One click accepts a suggestion, so those of forks are rejected.
                        let known = match &*info {
                            "text" | "diff" | "" => true,
                            "suggestion" => rules.origin >= Origin::OwnBranch,
                            "mermaid" => rules.origin == Origin::ThisRun,
                            _ => false,
                        };
                        if !known {
                            return Err(format!("its text holds a block of `{}`", shortened(&info)));
                        }
                        in_code = true;
                    }
                    Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => in_code = true,
                    Event::End(TagEnd::CodeBlock) => in_code = false,
                    other => {
                        depth = open_details(&other, depth)?;
                        reject_ambiguous(&other, body.get(range).unwrap_or_default())?;
                        element(&other, rules)?;
                    }
                }
            }
        }
    }
    plain(&running)?;
    if depth == 0 { Ok(()) } else { Err("its text opens `<details>` and does not close it".to_owned()) }
}

/// Returns the number of open `<details>` after an event. Fails if one is closed that was not opened, or
/// if one is still open at the end of a part of a comment.
fn open_details(event: &Event<'_>, mut depth: usize) -> Result<usize, String> {
    let (Event::Html(html) | Event::InlineHtml(html)) = event else { return Ok(depth) };
    for line in html.lines() {
        let ends = is_marker(line.trim()) && line.contains("testmedic:leg-end");
        depth += line.matches("<details>").count();
        depth = depth
            .checked_sub(line.matches("</details>").count())
            .ok_or("its text closes `<details>` that it did not open")?;
        if ends && depth > 0 {
            return Err("its text opens `<details>` and does not close it".to_owned());
        }
    }
    Ok(depth)
}

/// Rejects text that GitHub may parse differently: GitHub turns a paragraph that contains a delimiter row
/// into a table, which splits code spans over several lines.
fn reject_ambiguous(event: &Event<'_>, written: &str) -> Result<(), String> {
    let is_dashes = |line: &str| {
        let bare: String = line.chars().filter(|c| !c.is_whitespace() && *c != '>').collect();
        bare.contains('-') && bare.contains('|') && bare.chars().all(|c| matches!(c, '-' | '|' | ':'))
    };
    let doubtful = match event {
        Event::Code(_) => written.contains('\n'),
        Event::Start(Tag::Paragraph | Tag::Heading { .. }) => written.lines().any(is_dashes),
        _ => false,
    };
    if doubtful {
        Err("its text contains a table or a code span that GitHub may parse differently".to_owned())
    } else {
        Ok(())
    }
}

/// Returns whether `text` ends in a keyword that closes the issue which follows.
fn ends_in_closing_keyword(text: &str) -> bool {
    let before = text.trim_end_matches(|c: char| c.is_whitespace() || c == ':').to_ascii_lowercase();
    let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"].contains(&word)
}

fn element(event: &Event<'_>, rules: &TextRules) -> Result<(), String> {
    match event {
        Event::Start(Tag::Image { .. }) => Err("its text holds a picture".to_owned()),
        Event::Start(Tag::Link { link_type, dest_url, title, .. }) => {
            if *link_type != LinkType::Inline || !title.is_empty() || !is_own_page(dest_url, rules) {
                return Err(format!("its text links to {}", shortened(dest_url)));
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
fn is_own_page(url: &str, rules: &TextRules) -> bool {
    let own = format!("{}/{}/", rules.server, rules.repository);
    let Some(rest) = url.strip_prefix(&own) else { return false };
    let number = |text: &str| !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit());
    match rest.split('/').collect::<Vec<_>>().as_slice() {
        ["commit", sha] => is_sha(sha),
        ["issues" | "pull", page] => {
            // A comment on the page: `7#issuecomment-12`.
            let (page, place) = page.split_once('#').unwrap_or((page, "x1"));
            let id = place.trim_start_matches(|c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '_'));
            number(page) && number(id)
        }
        ["compare", rest @ ..] => rules.origin >= Origin::OwnBranch && is_comparison(&rest.join("/")),
        ["tree", rest @ ..] => rules.origin >= Origin::OwnBranch && is_our_branch(&rest.join("/")),
        ["runs", check] => number(check),
        ["actions", "runs", run] => number(run),
        ["actions", "runs", run, "attempts", attempt] => number(run) && number(attempt),
        // Addresses that the code host returned for objects that were just written.
        _ => {
            rules.origin == Origin::ThisRun
                && rest.chars().all(|c| is_plain(c) || "?=&#".contains(c))
                && !rest.contains("..")
        }
    }
}

/// Returns whether `range` compares a branch with one of testmedic's branches.
fn is_comparison(range: &str) -> bool {
    let (base, branch) = range.trim_end_matches("?expand=1").split_once("...").unwrap_or(("", ""));
    !base.is_empty() && base.chars().all(is_plain) && is_our_branch(branch)
}

/// Returns whether `branch` is one of testmedic's branches.
fn is_our_branch(branch: &str) -> bool {
    branch.starts_with(OUR_BRANCHES) && branch.chars().all(is_plain) && !branch.contains("..")
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '%')
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
            return Err(format!("its text holds HTML: {}", shortened(line)));
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
        // A mention or an e-mail address, whose domain may start with a dot or a hyphen on GitHub.
        if after.is_some_and(|c| !c.is_whitespace() && c != '\u{2060}') {
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

    fn rules() -> TextRules {
        TextRules {
            repository: RepoSlug::parse("acme/shop").unwrap(),
            server: "https://github.com".into(),
            origin: Origin::Fork,
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
            "[x](https://github.com/acme/shop/tree/testmedic/heal/x)",
            "[x](https://github.com/acme/shop/issues/7#issuecomment-1?x=y)",
            "# x { @octocat }",
            "x {fixes #1}\n===",
            "# x { https://evil.example }",
            "text `code\n a | b\n---|---\nx | @octocat`",
            "`two\nlines`",
            "a&#x202e;b",
            "a&#8203;b",
            "mail a@-evil.example",
            "fixes [x](https://github.com/acme/shop/issues/1)",
            "Closes: [x](https://github.com/acme/shop/issues/1)",
            "<details>\n\nx",
            "x\n\n</details>\n\n<details>",
            "<details>\n\n<!-- testmedic:leg-end -->\n\n</details>",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{e0041}b",
            "a\0b",
            "a\u{1b}[31mb",
        ] {
            assert!(rules().markdown(bad, 1000).is_err(), "{bad}");
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
            use crate::ingest::command::{ParsedLine, read};
            use crate::render::message::reply::{ReplySection, body};
            let scene = RunContext {
                repository: RepoSlug::parse("acme/shop").unwrap(),
                default_branch: "main".into(),
                pull: None,
                trust: crate::model::forge::Trust::Own,
                workflow: None,
                job: None,
                head: String::new(),
                branch: "main".into(),
                run: Some(1),
                attempt: 1,
                server: "https://github.com".into(),
                commit_at: None,
                variant: None,
                is_foreign: false,
            };
            let parts: Vec<(usize, ReplySection)> = read(&lines.join("\n")).into_iter().map(|line| match line {
                ParsedLine::Order(order) => (0, ReplySection::refused(&order.text, &format!("`{}` is not there", order.text))),
                ParsedLine::Slip { text, why } => (1, ReplySection::refused(&text, &format!("{text}: {why:?}"))),
            }).collect();
            let said = body(&parts, &login, None, &scene, 60_000);
            // Words that have the form of a secret are refused for that alone.
            proptest::prop_assume!(!has_token(&said));
            proptest::prop_assert_eq!(rules().markdown(&said, 60_000), Ok(()), "{}", said);
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
            "[comment](https://github.com/acme/shop/issues/7#issuecomment-1003)",
            "`login password=abcde` and `assert /cb?secret=abc12`",
        ] {
            assert_eq!(rules().markdown(good, 1000), Ok(()), "{good}");
        }
    }
}
