//! What a role may look up. Everything only reads, and is bounded; arguments are
//! read here, and none is ever a word for a shell.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::chat::{Call, Tool};

/// Lines that one look at a file shows.
const LINES: usize = 200;

/// Bytes of a name or a text that is looked for.
const LONGEST: usize = 2000;

/// Something to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolRequest {
    /// Lines of a file, from 1.
    File {
        /// In the repository.
        path: String,
        /// The first line.
        from: usize,
        /// The last line.
        to: usize,
    },
    /// Lines that hold a text.
    Search {
        /// The text, as it is.
        text: String,
    },
    /// Paths that begin like this.
    Files {
        /// The begin.
        under: String,
    },
    /// What a commit changed.
    Commit {
        /// Its hash, or the begin of it.
        hash: String,
    },
    /// Earlier results of a test.
    History {
        /// Its name.
        test: String,
    },
    /// Failures of the past that are told alike.
    Similar {
        /// What they say.
        text: String,
    },
    /// What an endpoint was asked and answered.
    Exchanges {
        /// Method and path, or their begin.
        endpoint: String,
    },
    /// Issues about failures.
    Issues,
    /// Nothing, and why.
    None(String),
}

/// Files that are shown to no model: they hold secrets, or speak to agents.
const FOLDERS: &[&str] =
    &[".git", ".claude", ".cursor", ".junie", ".aws", ".kube", ".docker", ".ssh", ".gnupg", ".azure", "secrets"];
/// Words in the name of a file that holds credentials.
const WORDS: &[&str] =
    &["credential", "service-account", "service_account", ".tfstate", ".instructions.md", ".prompt.md"];
const HIDDEN: &[&str] = &[
    ".env",
    ".npmrc",
    ".pypirc",
    ".netrc",
    ".git-credentials",
    "id_rsa",
    "id_ed25519",
    "credentials",
    "secrets",
    ".htpasswd",
    "agents.md",
    "claude.md",
    "claude.local.md",
    "gemini.md",
    "copilot-instructions.md",
    ".cursorrules",
    ".windsurfrules",
    ".clinerules",
    ".aider",
];
const HIDDEN_ENDINGS: &[&str] =
    &[".env", ".tfvars", ".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".tfstate", ".kdbx", ".mdc"];

/// Whether a file may be shown.
#[must_use]
pub fn may_be_shown(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split('/').collect();
    let is_odd =
        lower.starts_with('/') || parts.iter().any(|part| matches!(*part, ".." | "." | "") || FOLDERS.contains(part));
    let name = parts.last().copied().unwrap_or("");
    let is_named = WORDS.iter().any(|word| name.contains(word)) || (name.starts_with("id_") && !name.contains('.'));
    let is_hidden = parts.iter().any(|part| {
        HIDDEN.iter().any(|name| part == name || part.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    });
    !is_odd && !is_hidden && !is_named && !HIDDEN_ENDINGS.iter().any(|end| lower.ends_with(end))
}

/// All of them.
pub(super) fn all() -> Vec<Tool> {
    let tool = |name: &str, about: &str, properties: Value| {
        let required: Vec<&String> = properties.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
        let arguments =
            json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties});
        Tool { name: name.to_owned(), about: about.to_owned(), arguments }
    };
    let text = |about: &str| json!({"type": "string", "description": about});
    let line = |about: &str| json!({"type": "integer", "minimum": 1, "description": about});
    vec![
        tool(
            "read_file",
            "Shows lines of a file of the repository, as it is at the tested commit.",
            json!({"path": text("path in the repository"), "from": line("first line"), "to": line("last line")}),
        ),
        tool(
            "search",
            "Shows the lines of the repository that hold a text, word for word.",
            json!({"text": text("at least three letters")}),
        ),
        tool("list_files", "Lists the paths that begin like this.", json!({"under": text("begin of a path")})),
        tool(
            "show_commit",
            "Shows what one of the suspected commits changed.",
            json!({"hash": text("as the brief names it")}),
        ),
        tool(
            "show_history",
            "Shows how a failing test ended in earlier runs.",
            json!({"test": text("its name as the brief has it")}),
        ),
        tool(
            "similar_failures",
            "Shows failures of the past that are told alike, with dates and runs.",
            json!({"text": text("a message")}),
        ),
        tool(
            "show_exchanges",
            "Shows what an endpoint was asked and answered in this run, and the fields of its answers.",
            json!({"endpoint": text("method and path, such as GET /orders, or a path")}),
        ),
        tool("known_issues", "Lists the issues of the repository that are about failures.", json!({})),
    ]
}

#[derive(Deserialize)]
struct File {
    path: String,
    #[serde(default)]
    from: Option<u32>,
    #[serde(default)]
    to: Option<u32>,
}

#[derive(Deserialize)]
struct Search {
    text: String,
}

#[derive(Deserialize)]
struct Files {
    #[serde(default)]
    under: String,
}

#[derive(Deserialize)]
struct Commit {
    hash: String,
}

#[derive(Deserialize)]
struct Test {
    test: String,
}

#[derive(Deserialize)]
struct Endpoint {
    endpoint: String,
}

impl ToolRequest {
    /// Reads what a model wrote.
    pub(super) fn read(call: &Call) -> Self {
        fn parsed<'a, T: Deserialize<'a>>(call: &'a Call) -> Result<T, ToolRequest> {
            serde_json::from_str(&call.arguments)
                .map_err(|e| ToolRequest::None(format!("the arguments cannot be read: {e}")))
        }
        let wish = match call.name.as_str() {
            "read_file" => parsed::<File>(call).map(|file| {
                let from = file.from.map_or(1, |line| line.max(1) as usize);
                let to = file.to.map_or(from + LINES - 1, |line| line as usize);
                Self::File { path: file.path, from, to: to.clamp(from, from + LINES - 1) }
            }),
            "search" => parsed::<Search>(call).map(|s| Self::Search { text: s.text }),
            "list_files" => parsed::<Files>(call).map(|f| Self::Files { under: f.under }),
            "show_commit" => parsed::<Commit>(call).map(|c| Self::Commit { hash: c.hash }),
            "show_history" => parsed::<Test>(call).map(|t| Self::History { test: t.test }),
            "similar_failures" => parsed::<Search>(call).map(|s| Self::Similar { text: s.text }),
            "show_exchanges" => parsed::<Endpoint>(call).map(|e| Self::Exchanges { endpoint: e.endpoint }),
            "known_issues" => Ok(Self::Issues),
            other => Err(Self::None(format!("there is no `{}`", crate::model::text::head(other, 60)))),
        };
        match wish.unwrap_or_else(|none| none) {
            Self::File { path, .. } if !may_be_shown(&path) => {
                Self::None(format!("`{}` is not shown", crate::model::text::head(&path, 200)))
            }
            Self::Search { text } if text.trim().len() < 3 || text.len() > 200 || text.contains('\n') => {
                Self::None("a text to search has 3 to 200 letters in one line".to_owned())
            }
            Self::History { test: text } | Self::Similar { text } | Self::Exchanges { endpoint: text }
                if text.trim().is_empty() || text.len() > LONGEST =>
            {
                Self::None(format!("it takes 1 to {LONGEST} bytes"))
            }
            Self::Commit { hash }
                if !(7..=40).contains(&hash.len()) || !hash.bytes().all(|b| b.is_ascii_hexdigit()) =>
            {
                Self::None("a commit is named by 7 to 40 hexadecimal digits".to_owned())
            }
            wish => wish,
        }
    }

    /// What it shows, in pieces that may be quoted: a hit of a search stands for itself,
    /// and numbers of lines are no words of a file.
    pub(super) fn pieces(&self, text: &str) -> Vec<String> {
        let bare = |line: &str| match line.split_once(": ") {
            Some((number, rest)) if number.rsplit(':').next().is_some_and(|n| n.parse::<u32>().is_ok()) => {
                rest.to_owned()
            }
            _ => line.to_owned(),
        };
        let lines = text.lines().map(bare);
        match self {
            Self::File { .. } => vec![lines.collect::<Vec<_>>().join("\n")],
            Self::Search { .. } => lines.collect(),
            Self::Similar { .. } | Self::Issues => text.lines().map(str::to_owned).collect(),
            _ => vec![text.to_owned()],
        }
    }

    /// How what it shows is quoted.
    #[must_use]
    pub fn source(&self) -> String {
        match self {
            Self::File { path, .. } => format!("file:{path}"),
            Self::Search { .. } => "search".to_owned(),
            Self::Files { .. } => "files".to_owned(),
            Self::Commit { hash } => format!("commit:{hash}"),
            Self::History { .. } => "history-of-test".to_owned(),
            Self::Similar { .. } => "similar-failures".to_owned(),
            Self::Exchanges { .. } => "exchanges-of-endpoint".to_owned(),
            Self::Issues => "issues".to_owned(),
            Self::None(_) => "refused".to_owned(),
        }
    }
}
