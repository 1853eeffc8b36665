//! Commands in comments: `/heal tests/test_a.py::test_b --suggest`, a line each.

mod lines;

use crate::model::command::{Command, CommandKind, CommandLine, DeliveryMode, Expiry, RetrySelection};
use crate::model::forge::is_sha;
use crate::model::text::{clean, head};

/// Commands of one comment that are taken.
const MOST: usize = 10;
/// Words behind a command.
const WORDS: usize = 20;
/// Bytes of one word.
const WORD: usize = 300;
/// Bytes of a line that are shown again.
const SHOWN: usize = 200;
/// How often a test may be run again.
const TIMES: u32 = 50;
/// Days that something may last.
const DAYS: u32 = 366;

/// A line that looks like a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsedLine {
    /// It is one.
    Order(CommandLine),
    /// It is none, and why; words are those of the comment and shown escaped.
    Slip {
        /// The line.
        text: String,
        /// What is wrong with it.
        why: CommandError,
    },
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No command has this name; one has a similar one.
    Unknown(CommandKind),
    /// The command is known, and what stands behind it is not what it takes.
    Wrong(CommandKind, String),
    /// There were enough commands before it.
    TooMany,
}

/// The commands of a comment. Lines that begin with a slash and a word that is nothing
/// like a command of ours are those of other bots.
#[must_use]
pub fn read(comment: &str) -> Vec<ParsedLine> {
    let mut found = Vec::new();
    for line in lines::command_lines(comment) {
        let Some(read) = read_line(&line) else { continue };
        if found.len() == MOST {
            found.push(ParsedLine::Slip { text: shown(&line), why: CommandError::TooMany });
            break;
        }
        found.push(read);
    }
    found
}

fn shown(line: &str) -> String {
    head(&clean(line), SHOWN).trim().to_owned()
}

fn read_line(line: &str) -> Option<ParsedLine> {
    let rest = line.strip_prefix('/')?;
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let slip = |why| Some(ParsedLine::Slip { text: shown(line), why });
    let Some(verb) = CommandKind::ALL.into_iter().find(|verb| verb.word() == name) else {
        return meant(name).and_then(|verb| slip(CommandError::Unknown(verb)));
    };
    match Args::split(rest).and_then(|words| command(verb, words)) {
        Ok((command, read_diff)) => Some(ParsedLine::Order(CommandLine { command, read_diff, text: shown(line) })),
        Err(why) => slip(CommandError::Wrong(verb, why)),
    }
}

/// The command that somebody meant who wrote another word: other case, or a slip of the
/// finger. `/retest` and `/approve` are other bots' commands, and near to none.
fn meant(name: &str) -> Option<CommandKind> {
    if name.is_empty() || name.len() > 20 || name.contains('/') {
        return None;
    }
    let plain = name.to_lowercase().replace('_', "-");
    let near = |verb: &CommandKind| {
        let far = strsim::osa_distance(&plain, verb.word());
        let most = if verb.word().len() < 6 { 1 } else { 2 };
        (far <= most).then_some(far)
    };
    CommandKind::ALL.into_iter().filter_map(|verb| Some((near(&verb)?, verb))).min().map(|(_, verb)| verb)
}

/// What stands behind a command.
#[derive(Debug, Default)]
struct Args {
    plain: Vec<String>,
    options: Vec<Flag>,
}

/// An option, `--name` or `--name value`.
#[derive(Debug)]
struct Flag {
    name: String,
    value: Option<String>,
}

/// Options that take a value.
const WITH_VALUE: [&str; 2] = ["times", "i-have-read-the-diff"];

impl Args {
    /// Words are parted by blanks; quotes of the keyboard and backticks hold one together.
    fn split(text: &str) -> Result<Self, String> {
        let mut words = Self::default();
        let mut chars = text.chars().peekable();
        let mut open: Option<String> = None;
        loop {
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
            let Some(first) = chars.peek().copied() else { break };
            let is_quoted = matches!(first, '"' | '\'' | '`');
            let word = if is_quoted { quoted(&mut chars)? } else { bare(&mut chars) };
            if word.len() > WORD || word.chars().any(crate::model::text::is_invisible) {
                return Err("a name is too long, or has marks in it that nobody sees".to_owned());
            }
            if let Some(name) = open.take() {
                words.options.push(Flag { name, value: Some(word) });
            } else if let Some(option) = word.strip_prefix("--").filter(|_| !is_quoted) {
                let (name, value) = option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v.to_owned())));
                if value.is_none() && WITH_VALUE.contains(&name) {
                    open = Some(name.to_owned());
                } else {
                    words.options.push(Flag { name: name.to_owned(), value });
                }
            } else {
                words.plain.push(word);
            }
            if words.plain.len() + words.options.len() > WORDS {
                return Err(format!("it takes at most {WORDS} words"));
            }
        }
        open.map_or(Ok(words), |name| Err(format!("`--{name}` needs a value")))
    }

    /// Takes an option out.
    fn take(&mut self, name: &str) -> Option<Flag> {
        let at = self.options.iter().position(|own| own.name == name)?;
        Some(self.options.remove(at))
    }

    fn flag(&mut self, name: &str) -> Result<bool, String> {
        match self.take(name) {
            None => Ok(false),
            Some(Flag { value: None, .. }) => Ok(true),
            Some(_) => Err(format!("`--{name}` takes no value")),
        }
    }

    /// All words as one name: names of tests may hold blanks.
    fn name(&mut self, what: &str) -> Result<String, String> {
        if self.plain.is_empty() {
            return Err(format!("it needs {what}"));
        }
        Ok(std::mem::take(&mut self.plain).join(" "))
    }

    /// An end, where the last of several words is one.
    fn until(&mut self) -> Result<Option<Expiry>, String> {
        let Some(read) = self.plain.last().filter(|_| self.plain.len() > 1).and_then(|word| until(word)) else {
            return Ok(None);
        };
        self.plain.pop();
        read.map(Some)
    }
}

fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mark = chars.next().unwrap_or('"');
    let mut word = String::new();
    for c in chars.by_ref() {
        if c == mark {
            return Ok(word);
        }
        word.push(c);
    }
    Err(format!("a name begins with {mark} and does not end"))
}

/// A word without quotes; one inside of it (`test_a['b c']`) holds it together.
fn bare(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut word = String::new();
    let mut depth = 0_u32;
    while let Some(c) = chars.next_if(|c| depth > 0 || !c.is_whitespace()) {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        word.push(c);
    }
    word
}

/// Reads `14d`, `2w`, `2026-06-01`; `None` where a word looks like none of them.
fn until(word: &str) -> Option<Result<Expiry, String>> {
    let is_day = word.len() == 10
        && word.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    if is_day {
        let real = format!("{word}T00:00:00Z").parse::<crate::model::time::Timestamp>().is_ok();
        return Some(if real { Ok(Expiry::Day(word.to_owned())) } else { Err(format!("`{word}` is no day")) });
    }
    let unit = match word.as_bytes().last()? {
        b'd' => 1,
        b'w' => 7,
        _ => return None,
    };
    let number = &word[..word.len() - 1];
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let days = number.parse::<u32>().ok().and_then(|n| n.checked_mul(unit)).filter(|days| (1..=DAYS).contains(days));
    Some(days.map(Expiry::Days).ok_or_else(|| format!("it lasts from a day to {DAYS} days")))
}

fn command(verb: CommandKind, mut words: Args) -> Result<(Command, Option<String>), String> {
    let read_diff = match words.take("i-have-read-the-diff") {
        None => None,
        Some(Flag { value: Some(sha), .. }) if is_sha(&sha) => Some(sha.to_ascii_lowercase()),
        Some(_) => return Err("`--i-have-read-the-diff` takes the hash of the commit".to_owned()),
    };
    let command = match verb {
        CommandKind::Heal => Command::Heal {
            force_outdated: words.flag("force-outdated")?,
            offer: match (words.flag("branch")?, words.flag("suggest")?) {
                (true, true) => return Err("`--branch` and `--suggest` exclude each other".to_owned()),
                (true, _) => Some(DeliveryMode::Branch),
                (_, true) => Some(DeliveryMode::Suggest),
                _ => None,
            },
            tests: std::mem::take(&mut words.plain),
        },
        CommandKind::Generate => Command::Generate { targets: std::mem::take(&mut words.plain) },
        CommandKind::Retry => retry(&mut words)?,
        CommandKind::Triage => Command::Triage { run: run(&mut words)? },
        CommandKind::Explain => Command::Explain { what: words.name("").ok() },
        CommandKind::Bisect => Command::Bisect { test: words.name("a test")? },
        CommandKind::Quarantine => {
            let until = words.until()?;
            Command::Quarantine { test: words.name("a test")?, until }
        }
        CommandKind::Unquarantine => Command::Unquarantine { test: words.name("a test")? },
        CommandKind::Flaky => Command::Flaky { test: words.name("a test")? },
        CommandKind::NotFlaky => Command::NotFlaky { test: words.name("a test")? },
        CommandKind::Expected => Command::Expected { key: words.name("the key of a failure")? },
        CommandKind::Ignore => {
            let until = words.until()?;
            Command::Ignore { key: words.name("the key of a failure")?, until }
        }
        CommandKind::File => Command::File { test: words.name("a test")? },
        CommandKind::Stop => Command::Stop,
        CommandKind::Help => {
            words.plain.clear();
            Command::Help
        }
    };
    if let Some(switch) = words.options.first() {
        return Err(format!("`--{}` is no option of it", head(&switch.name, 40)));
    }
    if let Some(word) = words.plain.first() {
        return Err(format!("it takes no `{}`", head(word, 40)));
    }
    Ok((command, read_diff))
}

fn retry(words: &mut Args) -> Result<Command, String> {
    let times = match words.take("times") {
        None => None,
        Some(switch) => {
            let count = switch.value.and_then(|v| v.parse().ok()).filter(|n| (1..=TIMES).contains(n));
            Some(count.ok_or_else(|| format!("`--times` takes a number from 1 to {TIMES}"))?)
        }
    };
    let names = std::mem::take(&mut words.plain);
    let which = match names.as_slice() {
        [] => RetrySelection::Failed,
        [word] if word == "failed" => RetrySelection::Failed,
        [word] if word == "flaky" => RetrySelection::Flaky,
        _ => RetrySelection::Tests(names),
    };
    if which == RetrySelection::Failed && times.is_some() {
        return Err("`--times` is for tests that are named, or `flaky`: jobs are run again once".to_owned());
    }
    Ok(Command::Retry { which, times: times.unwrap_or(5) })
}

fn run(words: &mut Args) -> Result<Option<u64>, String> {
    let Some(word) = words.plain.pop() else { return Ok(None) };
    let number = word.trim_start_matches('#').parse().ok();
    number.map(Some).ok_or_else(|| "it takes the number of a workflow run".to_owned())
}

#[cfg(test)]
mod tests;
