//! Opens what reports come in: plain, gzip, zip.
//!
//! The caller hands in a way to open the file, because the entries of a zip
//! are read on all cores and each core needs a reader of its own. Nothing is
//! unpacked to disk, so paths inside an archive are only labels.

use std::borrow::Cow;
use std::io::{self, BufReader, Read, Seek};

use flate2::read::MultiGzDecoder;
use rayon::prelude::*;
use zip::ZipArchive;

use crate::ingest::junit;
use crate::model::run::{IssueLevel, ParseIssue, TestRun};
use crate::model::text::{clean, head};

/// Bytes that one report may unpack to; what is beyond is reported as cut.
const UNPACKED_LIMIT: u64 = 8 << 30;
/// Entries read from one archive.
const ENTRY_LIMIT: usize = 50_000;

/// Reads the report, or the reports, behind `open`. `path` is for messages.
///
/// Never fails: what cannot be opened is a run with an issue.
pub fn read<R, F>(path: &str, open: F) -> Vec<TestRun>
where
    R: Read + Seek,
    F: Fn() -> io::Result<R> + Sync,
{
    let mut start = [0_u8; 4];
    let found = open().and_then(|mut file| {
        let n = read_up_to(&mut file, &mut start)?;
        Ok(n)
    });
    match found {
        Err(error) => vec![junit::unusable(path, format!("cannot be opened: {error}"))],
        Ok(n) if start[..n].starts_with(b"\x1f\x8b") => read_gzip(path, open),
        Ok(n) if start[..n].starts_with(b"PK\x03\x04") || start[..n].starts_with(b"PK\x05\x06") => {
            read_zip(path, &open)
        }
        Ok(_) => match open() {
            Ok(file) => junit::read_all(path, file),
            Err(error) => vec![junit::unusable(path, format!("cannot be opened: {error}"))],
        },
    }
}

/// Bytes that all entries of a downloaded archive may unpack to.
const DOWNLOAD_UNPACKED: u64 = 512 << 20;
/// How many times its packed size a downloaded archive may unpack to, beyond
/// the first hundred megabytes: XML packs by ten to thirty.
const DOWNLOAD_RATIO: u64 = 200;

/// Looks at a downloaded archive before anything of it is read.
///
/// # Errors
/// Why it is refused: it is broken, it would unpack beyond all measure, or it
/// names places outside of itself.
pub fn inspect(mut file: impl Read + Seek) -> Result<(), String> {
    let broken = |e: &dyn std::fmt::Display| format!("it is a broken zip archive ({e})");
    let packed = file.seek(io::SeekFrom::End(0)).map_err(|e| broken(&e))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| broken(&e))?;
    if archive.len() > ENTRY_LIMIT {
        return Err(format!("it holds {} files, more than {ENTRY_LIMIT}", archive.len()));
    }
    let mut sum = 0_u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|e| broken(&e))?;
        sum = sum.saturating_add(entry.size());
        let escapes = entry.name().map_or(true, |name| {
            let name = name.replace('\\', "/");
            name.starts_with('/') || name.contains(':') || name.split('/').any(|part| part == "..")
        });
        if escapes {
            return Err("it names a file outside of itself".to_owned());
        }
    }
    let bomb = sum > DOWNLOAD_UNPACKED || (sum > 100 << 20 && sum / packed.max(1) > DOWNLOAD_RATIO);
    if bomb { Err(format!("it would unpack to {} MB from {} KB", sum >> 20, packed >> 10)) } else { Ok(()) }
}

/// The text of the file `name` in a downloaded archive, in whichever folder of it.
///
/// # Errors
/// Why it cannot be had.
pub fn text<R: Read + Seek>(mut file: R, name: &str, limit: u64) -> Result<String, String> {
    inspect(&mut file)?;
    let broken = |e: &dyn std::fmt::Display| format!("it is a broken zip archive ({e})");
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| broken(&e))?;
    let paths = archive.file_names().filter_map(Result::ok).map(Cow::into_owned);
    let path = paths.filter(|path| path.rsplit('/').next() == Some(name)).min_by_key(String::len);
    let path = path.ok_or_else(|| format!("it holds no `{name}`"))?;
    let entry = archive.by_name(&path).map_err(|e| broken(&e))?;
    let mut text = String::new();
    let read = entry.take(limit + 1).read_to_string(&mut text).map_err(|e| broken(&e))?;
    if read as u64 > limit { Err(format!("`{name}` is larger than {} MB", limit >> 20)) } else { Ok(text) }
}

fn read_up_to(file: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while have < into.len() {
        match file.read(&mut into[have..])? {
            0 => break,
            n => have += n,
        }
    }
    Ok(have)
}

fn read_gzip<R: Read>(path: &str, open: impl Fn() -> io::Result<R>) -> Vec<TestRun> {
    match open() {
        Ok(file) => junit::read_all(path, Capped::new(MultiGzDecoder::new(BufReader::new(file)))),
        Err(error) => vec![junit::unusable(path, format!("cannot be opened: {error}"))],
    }
}

fn read_zip<R, F>(path: &str, open: &F) -> Vec<TestRun>
where
    R: Read + Seek,
    F: Fn() -> io::Result<R> + Sync,
{
    let archive = open()
        .map_err(|e| e.to_string())
        .and_then(|file| ZipArchive::new(BufReader::new(file)).map_err(|error| error.to_string()));
    let archive = match archive {
        Ok(archive) => archive,
        Err(error) => {
            return vec![junit::unusable(path, format!("is a broken zip archive ({error}): download it again"))];
        }
    };
    let all: Vec<(usize, String)> = archive
        .file_names()
        .enumerate()
        .map(|(index, name)| (index, name.map_or_else(|_| format!("entry {index}.xml"), Cow::into_owned)))
        .collect();
    let mut reports: Vec<(usize, String)> = all.iter().filter(|(_, name)| is_report(name)).cloned().collect();
    let inner = all.iter().filter(|(_, name)| name.to_ascii_lowercase().ends_with(".zip")).count();
    drop(archive);
    reports.sort_by(|a, b| a.1.cmp(&b.1));
    let beyond = reports.len().saturating_sub(ENTRY_LIMIT);
    reports.truncate(ENTRY_LIMIT);
    if reports.is_empty() {
        let message = format!("is a zip archive without a report (no .xml or .xml.gz among its {} entries)", all.len());
        return vec![junit::unusable(path, message)];
    }
    let per_core = reports.len().div_ceil(rayon::current_num_threads()).max(1);
    let mut runs: Vec<TestRun> =
        reports.par_chunks(per_core).flat_map_iter(|entries| read_entries(path, entries, open)).collect();
    for (count, what) in [(beyond, "reports beyond the first 50,000"), (inner, "archives inside of the archive")] {
        if count > 0 {
            let message = format!("not read: {count} {what}; pass them by themselves");
            runs[0].issues.push(ParseIssue::new(IssueLevel::Unusable, "archive", message));
        }
    }
    runs
}

fn is_report(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (lower.ends_with(".xml") || lower.ends_with(".xml.gz")) && !lower.contains("__macosx/")
}

fn read_entries<R: Read + Seek>(
    path: &str,
    entries: &[(usize, String)],
    open: &impl Fn() -> io::Result<R>,
) -> Vec<TestRun> {
    let archive = open().map_err(zip::result::ZipError::from).and_then(|file| ZipArchive::new(BufReader::new(file)));
    let mut archive = match archive {
        Ok(archive) => archive,
        Err(error) => {
            return vec![junit::unusable(path, format!("is a broken zip archive ({error})"))];
        }
    };
    entries.iter().flat_map(|(index, name)| read_entry(path, *index, name, &mut archive)).collect()
}

fn read_entry<R: Read + Seek>(path: &str, index: usize, name: &str, archive: &mut ZipArchive<R>) -> Vec<TestRun> {
    let label = format!("{path}!{}", head(&clean(name), 300));
    match archive.by_index(index) {
        Err(error) => vec![junit::unusable(&label, format!("cannot be unpacked: {error}"))],
        Ok(entry) if name.to_ascii_lowercase().ends_with(".gz") => {
            junit::read_all(&label, Capped::new(MultiGzDecoder::new(BufReader::new(entry))))
        }
        Ok(entry) => junit::read_all(&label, Capped::new(entry)),
    }
}

/// Stops with an error after [`UNPACKED_LIMIT`] bytes: an archive that
/// unpacks without end must not take the job's time without end.
struct Capped<R> {
    inner: R,
    left: u64,
}

impl<R> Capped<R> {
    fn new(inner: R) -> Self {
        Self { inner, left: UNPACKED_LIMIT }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("it unpacks to more than 8 GiB"));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let n = self.inner.read(&mut into[..most])?;
        self.left -= n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    const REPORT: &str = "<testsuite name='s'><testcase classname='a.b' name='t'/></testsuite>";

    fn read_bytes(bytes: &[u8]) -> Vec<TestRun> {
        read("x", || Ok(Cursor::new(bytes)))
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn plain_gzip_and_zip_tell_the_same() {
        let zipped = zip_of(&[("a/r.xml", REPORT.as_bytes()), ("b.xml.gz", &gzip(REPORT)), ("log.txt", b"x")]);
        assert_eq!(read_bytes(REPORT.as_bytes())[0].totals.passed, 1);
        assert_eq!(read_bytes(&gzip(REPORT))[0].totals.passed, 1);
        let runs = read_bytes(&zipped);
        assert_eq!(runs.iter().map(|r| r.totals.passed).sum::<u64>(), 2);
        assert_eq!(runs[0].path, "x!a/r.xml");
    }

    #[test]
    fn broken_archives_are_told() {
        let whole = zip_of(&[("r.xml", REPORT.as_bytes())]);
        let packed = gzip(REPORT);
        for (bytes, word) in [
            (&whole[..whole.len() / 2], "zip"),
            (&zip_of(&[("a.txt", b"x")])[..], "without a report"),
            (&packed[..packed.len() - 12], "breaks off"),
            (&b"\x1f\x8bnonsense"[..], "cannot be read"),
        ] {
            let runs = read_bytes(bytes);
            assert_eq!(runs[0].worst(), Some(IssueLevel::Unusable));
            assert!(runs[0].issues.iter().any(|i| i.message.contains(word)), "{word}: {:?}", runs[0].issues);
        }
    }
}
