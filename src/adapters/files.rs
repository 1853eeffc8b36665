//! Report files: globs, standard input, reading on all cores.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;
use rayon::prelude::*;

use crate::adapters::directory::Directory;
use crate::code::patch::FileState;
use crate::error::Problem;
use crate::ingest::archive;
use crate::ingest::junit;
use crate::ingest::traffic::masking::Masker;
use crate::ingest::traffic::{self, Traffic};
use crate::model::run::TestRun;
use crate::model::time::Timestamp;

/// Files that a glob may find; more is a mistake in the pattern.
const FILE_LIMIT: usize = 100_000;

/// Reads all reports that `patterns` name, relative to `base`, on all cores.
/// `done` is called after each file.
///
/// A pattern is a path, a folder (all `.xml`, `.xml.gz` and `.zip` below it),
/// a glob with `*`, `**`, `?`, `[…]` and `{…}`, or `-` for standard input.
/// A pattern that matches nothing becomes a run with an issue: a report that
/// is not there must not look like success.
///
/// # Errors
/// A pattern that is not a glob, or standard input asked for twice.
pub fn read_reports(base: &Path, patterns: &[String], done: &(dyn Fn(u64) + Sync)) -> Result<Vec<TestRun>, Problem> {
    let mut files: BTreeSet<PathBuf> = BTreeSet::new();
    let mut runs = Vec::new();
    let mut stdin_taken = false;
    for pattern in patterns {
        if pattern == "-" {
            if std::mem::replace(&mut stdin_taken, true) {
                return Err(Problem::usage("standard input (`-`) can be read only once"));
            }
            runs.extend(read_stream("-", io::stdin().lock()));
            continue;
        }
        if is_stream(&base.join(pattern)) {
            // A pipe (`<(command)`) or device can be read only once.
            runs.extend(match File::open(base.join(pattern)) {
                Ok(file) => read_stream(pattern, file),
                Err(error) => vec![junit::unusable(pattern, format!("cannot be opened: {error}"))],
            });
            continue;
        }
        let found = expand(base, pattern)?;
        if found.is_empty() {
            runs.push(junit::unusable(
                pattern,
                "no file matches: check the pattern, and that the tests ran and wrote their report before this step",
            ));
        }
        files.extend(found);
    }
    let mut read: Vec<TestRun> = files
        .into_par_iter()
        .flat_map_iter(|path| {
            let label = label(base, &path);
            let size = path.metadata().map_or(0, |m| m.len());
            let runs = archive::read(&label, || File::open(&path));
            done(size);
            runs
        })
        .collect();
    runs.append(&mut read);
    Ok(runs)
}

/// How a file is named in messages: relative to where the user stands.
fn label(base: &Path, path: &Path) -> String {
    let path = path.strip_prefix(base).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).to_string_lossy().into_owned()
}

/// The files a pattern names, sorted.
///
/// # Errors
/// A pattern that is not a glob.
pub fn expand(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, Problem> {
    let literal: PathBuf = base.join(pattern).components().filter(|c| *c != Component::CurDir).collect();
    if literal.is_file() {
        return Ok(vec![literal]);
    }
    if literal.is_dir() {
        return walk(&literal, &|path| is_report(path));
    }
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let first_special = pattern.find(['*', '?', '[', '{']);
    let Some(special) = first_special else {
        return Ok(Vec::new());
    };
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|e| {
            Problem::usage(format!("`{pattern}` is not a glob"))
                .because(e)
                .hint("quote it, and escape `[` and `{` as `[[]` and `[{]`")
        })?
        .compile_matcher();
    let root = pattern[..special].rfind('/').map_or("", |at| &pattern[..=at]);
    let start = Some(base.join(root)).filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("."));
    if !start.is_dir() {
        return Ok(Vec::new());
    }
    walk(&start, &|path| {
        let relative = path.strip_prefix(base).unwrap_or(path);
        let relative = relative.strip_prefix(".").unwrap_or(relative);
        glob.is_match(relative) || glob.is_match(path)
    })
}

fn is_report(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    [".xml", ".xml.gz", ".zip"].iter().any(|end| name.ends_with(end))
}

/// Files below `folder` that `wanted` accepts. Links to folders are not
/// followed, so that a loop cannot be walked into.
fn walk(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    let name = entry.file_name();
                    if name != ".git" && name != "node_modules" {
                        open.push(path);
                    }
                }
                Ok(_) if wanted(&path) && path.is_file() => found.push(path),
                _ => {}
            }
        }
        if found.len() > FILE_LIMIT {
            return Err(Problem::usage(format!("more than {FILE_LIMIT} files match below {}", folder.display()))
                .hint("use a narrower pattern"));
        }
    }
    // `./a` and `a` are one file.
    let mut found: Vec<PathBuf> =
        found.iter().map(|path| path.components().filter(|c| *c != Component::CurDir).collect()).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

/// The files that `patterns` name now.
#[must_use]
pub fn matching(base: &Path, patterns: &[String]) -> Vec<PathBuf> {
    patterns.iter().filter_map(|pattern| expand(base, pattern).ok()).flatten().collect()
}

/// Reads traffic files; what cannot be read is named and stops nothing.
///
/// # Errors
/// A pattern that is not a glob.
pub fn read_traffic(base: &Path, patterns: &[String], masker: &mut Masker) -> Result<Vec<Traffic>, Problem> {
    let is_traffic = |path: &Path| {
        path.extension()
            .is_some_and(|e| ["har", "yaml", "yml", "json", "ndjson"].iter().any(|known| e.eq_ignore_ascii_case(known)))
    };
    let mut all = Vec::new();
    for pattern in patterns.iter().filter(|p| !p.trim().is_empty()) {
        let folder = base.join(pattern);
        let found = if folder.is_dir() { walk(&folder, &is_traffic)? } else { expand(base, pattern)? };
        if found.is_empty() {
            all.push(traffic::unusable(pattern, "no file matches"));
        }
        for path in found {
            let shown = path.display().to_string();
            let size = path.metadata().map_or(0, |m| m.len());
            all.push(match std::fs::read(&path) {
                _ if size > TRAFFIC => traffic::unusable(&shown, &format!("it is larger than {} MB", TRAFFIC >> 20)),
                Ok(bytes) => traffic::read(&shown, &bytes, masker),
                Err(error) => traffic::unusable(&shown, &format!("it cannot be read: {error}")),
            });
        }
    }
    let sweep = masker.sweep();
    for traffic in &mut all {
        traffic.sweep(&sweep);
    }
    Ok(all)
}

/// Copies a file.
///
/// # Errors
/// Where it cannot be copied.
pub fn copy(from: &Path, to: &Path) -> Result<(), Problem> {
    let failed = |e: io::Error| Problem::failed(format!("cannot copy {}", from.display())).because(e);
    std::fs::copy(from, to).map(|_| ()).map_err(failed)
}

/// Whether a file is there with anything in it.
#[must_use]
pub fn is_filled(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.len() > 0)
}

/// Adds to a file. What cannot be written is lost: nothing depends on it.
pub fn append(path: &Path, text: &str) {
    use io::Write;
    if let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(path) {
        let _ = file.write_all(text.as_bytes());
    }
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Whether a file was last written before a moment.
#[must_use]
pub fn is_older(path: &Path, moment: Timestamp) -> bool {
    let written = path.metadata().and_then(|m| m.modified()).ok();
    let seconds = written.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).map(|d| d.as_secs());
    seconds.is_some_and(|s| i64::try_from(s).is_ok_and(|s| s < moment.unix()))
}

/// Bytes of one traffic file.
const TRAFFIC: u64 = 512 << 20;

/// Whether `path` is something that is neither a file nor a folder.
fn is_stream(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// Input that can be read only once: streamed, except for archives, which need
/// seeking and go through a temporary file.
fn read_stream(label: &str, mut input: impl Read) -> Vec<TestRun> {
    let mut start = [0_u8; 4];
    let mut have = 0;
    while have < start.len() {
        match input.read(&mut start[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(error) => return vec![junit::unusable(label, format!("cannot be read: {error}"))],
        }
    }
    let whole = Cursor::new(start[..have].to_vec()).chain(input);
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"\x1f\x8b") {
        return spooled(label, whole)
            .unwrap_or_else(|error| vec![junit::unusable(label, format!("cannot be read: {error}"))]);
    }
    junit::read_all(label, whole)
}

fn spooled(label: &str, mut input: impl Read) -> io::Result<Vec<TestRun>> {
    let mut file = tempfile::NamedTempFile::new()?;
    io::copy(&mut input, &mut file)?;
    file.flush()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(archive::read(label, || file.reopen()))
}

/// Sizes of the files that `patterns` name, for a progress bar.
#[must_use]
pub fn total_size(base: &Path, patterns: &[String]) -> u64 {
    patterns
        .iter()
        .filter_map(|pattern| expand(base, pattern).ok())
        .flatten()
        .filter_map(|path| path.metadata().ok())
        .map(|m| m.len())
        .sum()
}

/// Reads a text file.
///
/// # Errors
/// Where it cannot be read.
pub fn read_text(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|e| Problem::usage(format!("cannot read {}", path.display())).because(e))
}

/// Bytes of a file of the repository that is read.
const SOURCE_LIMIT: u64 = 8 << 20;

/// What the repository at `root` holds at `path`. Nothing outside of it is
/// read, whatever the path says and whatever links there are.
#[must_use]
pub fn held(root: &Path, path: &str) -> FileState {
    let relative = Path::new(path);
    let inside = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !inside || path.is_empty() {
        return FileState::Odd("a path that leads out of the repository".to_owned());
    }
    let mut at = root.to_owned();
    for part in relative.components() {
        at.push(part);
        match at.symlink_metadata() {
            Err(_) => return FileState::Nothing,
            Ok(found) if found.is_symlink() => return FileState::Odd("a symbolic link".to_owned()),
            Ok(_) => {}
        }
    }
    match at.metadata() {
        Ok(found) if found.is_file() && found.len() <= SOURCE_LIMIT => {
            match std::fs::read(&at).map(String::from_utf8) {
                Ok(Ok(text)) => FileState::Text(text),
                Ok(Err(_)) => FileState::Odd("a binary file".to_owned()),
                Err(error) => FileState::Odd(format!("a file that cannot be read ({error})")),
            }
        }
        Ok(found) if found.is_file() => FileState::Odd("a very large file".to_owned()),
        Ok(_) => FileState::Odd("no file".to_owned()),
        Err(_) => FileState::Nothing,
    }
}

/// Writes a file whole: to a temporary name first, so that no one sees half of it.
///
/// # Errors
/// Where it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let attempt = || -> io::Result<()> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        // Devices and pipes are written as they are.
        if path.exists() && !path.is_file() {
            return std::fs::write(path, text);
        }
        let mut builder = tempfile::Builder::new();
        readable(&mut builder);
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    attempt().map_err(|e| Problem::failed(format!("cannot write {}", path.display())).because(e))
}

/// Writes files of a repository, given as paths and texts. Links are not followed, because a pull request
/// can replace a test file with a link.
///
/// # Errors
/// If a file cannot be written.
pub fn write_beneath<'f>(top: &Path, files: impl Iterator<Item = (&'f str, &'f str)>) -> Result<(), Problem> {
    let folder =
        Directory::open(top).map_err(|e| Problem::failed(format!("cannot open {}", top.display())).because(e))?;
    for (path, text) in files {
        let failed = |e| Problem::failed(format!("cannot write {path}")).because(e).hint("links are not followed");
        folder.write(path, text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

/// As `File::create` would: what a container writes as one user, the next step
/// of a workflow reads as another. The umask still applies.
fn readable(builder: &mut tempfile::Builder<'_, '_>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    #[cfg(not(unix))]
    let _ = builder;
}

/// Opens a file for writing, buffered.
///
/// # Errors
/// Where it cannot be made.
pub fn create(path: &Path) -> Result<io::BufWriter<File>, Problem> {
    File::create(path)
        .map(io::BufWriter::new)
        .map_err(|e| Problem::failed(format!("cannot write {}", path.display())).because(e))
}
