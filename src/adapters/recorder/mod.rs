//! Records the HTTP traffic of tests while they run.
//!
//! Clients inside of the test process (a pytest plug-in of ours, put in by the
//! environment) send what they see over a socket of this machine. Secrets are
//! masked here, before anything is kept: nothing unmasked reaches a disk.

mod jvm;
mod proxy;
mod socket;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::Problem;
use crate::ingest::traffic::masking::Masker;
use crate::ingest::traffic::recording;
use crate::model::exchange::{Exchange, Request};

pub use self::proxy::Upstream;

/// The plug-in.
const PLUGIN: &str = include_str!("testmedic_recorder.py");
/// What names it to pytest: from within the process, so that a command which has a
/// `PYTHONPATH` of its own runs as ever, unrecorded.
const SITE: &str = include_str!("sitecustomize.py");
/// The same for Node.
const NODE: &str = include_str!("testmedic_recorder.cjs");
/// Its name as a module.
const MODULE: &str = "testmedic_recorder";
/// Exchanges of one run that are kept.
const MOST: usize = 200_000;

/// What was recorded.
#[derive(Debug, Default)]
struct Recording {
    masker: Masker,
    /// With the moment at which each began: redirects are told from the inside out.
    exchanges: Vec<(f64, Exchange)>,
    lost: u64,
    /// Tests in the order in which they began.
    order: Vec<String>,
    /// Where pytest writes a report that its command asks for.
    report: Option<PathBuf>,
    /// Tests that failed for the mutant at an index.
    noticed: Vec<(String, usize)>,
    /// Requests that were sent again in flight.
    waits: Vec<Waited>,
    /// Addresses of our own, whose traffic is seen where it goes through.
    own: Vec<String>,
    /// The test that began last.
    present: Option<String>,
}

/// A request that was sent again in flight, because the answer asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Waited {
    /// `GET /users`.
    pub line: String,
    /// What refused it.
    pub status: u16,
    /// Seconds that were waited.
    pub seconds: f64,
}

impl Recording {
    /// Takes in an exchange that began at a moment; masks what must not be kept.
    fn take(&mut self, begun: f64, mut exchange: Exchange) {
        if self.exchanges.len() >= MOST {
            self.lost += 1;
            return;
        }
        self.masker.exchange(&mut exchange);
        self.exchanges.push((begun, exchange));
    }

    /// Notes that a request is sent again after some seconds; its line shows no secret.
    fn wait(&mut self, request: &Request, status: u16, seconds: f64) {
        let path = self.masker.path(&request.path);
        self.waits.push(Waited { line: format!("{} {path}", request.method), status, seconds });
    }
}

/// A recorder that listens.
#[derive(Debug)]
pub struct Recorder {
    kept: Arc<Mutex<Recording>>,
    folder: TempDir,
    address: String,
    word: String,
    /// Clients that are connected.
    open: Arc<AtomicUsize>,
}

/// What came of a recording.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The exchanges, masked, in the order in which they ended.
    pub exchanges: Vec<Exchange>,
    /// Messages that could not be read, or had no room.
    pub lost: u64,
    /// Requests that were sent again in flight, in order.
    pub waits: Vec<Waited>,
}

impl Recorder {
    /// Starts to listen. With `mail` addresses are masked as well.
    ///
    /// # Errors
    /// Where this machine gives no port or no folder.
    pub fn start(mail: bool) -> Result<Self, Problem> {
        Self::start_in(&std::env::temp_dir(), mail)
    }

    /// As [`Recorder::start`], with all that it needs below a folder, which tests that
    /// are kept from the network see as well.
    ///
    /// # Errors
    /// See [`Recorder::start`].
    pub fn start_in(place: &Path, mail: bool) -> Result<Self, Problem> {
        let failed = |e: std::io::Error| Problem::failed("traffic cannot be recorded").because(e);
        let folder = tempfile::Builder::new().prefix("testmedic-").tempdir_in(place).map_err(failed)?;
        std::fs::write(folder.path().join(format!("{MODULE}.py")), PLUGIN).map_err(failed)?;
        std::fs::write(folder.path().join("sitecustomize.py"), SITE).map_err(failed)?;
        std::fs::write(folder.path().join(format!("{MODULE}.cjs")), NODE).map_err(failed)?;
        let mut random = [0_u8; 16];
        let _ = getrandom::fill(&mut random);
        let word: String = random.iter().map(|b| format!("{b:02x}")).collect();
        let kept = Arc::new(Mutex::new(Recording { masker: Masker::new(mail), ..Recording::default() }));
        let (own, expected) = (Arc::clone(&kept), word.clone());
        let open = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&open);
        let serve = move |stream| {
            count.fetch_add(1, Ordering::SeqCst);
            listen(stream, &expected, &own);
            count.fetch_sub(1, Ordering::SeqCst);
        };
        let address = socket::listen(folder.path(), serve).map_err(failed)?;
        Ok(Self { kept, folder, address, word, open })
    }

    /// The variables under which a command is recorded, over what they are now.
    #[must_use]
    pub fn variables(&self, now: &dyn Fn(&str) -> Option<String>) -> Vec<(String, String)> {
        let joined = |name: &str, own: String, between: &str| match now(name).filter(|v| !v.is_empty()) {
            Some(before) => (name.to_owned(), format!("{own}{between}{before}")),
            None => (name.to_owned(), own),
        };
        let script = self.folder.path().join(format!("{MODULE}.cjs"));
        // Node takes quotes around what holds spaces, with backslashes before signs.
        let script = script.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        vec![
            joined("NODE_OPTIONS", format!("--require \"{script}\""), " "),
            ("TESTMEDIC_RECORDER".to_owned(), format!("{}/{}", self.word, self.address)),
            joined("PYTHONPATH", self.folder.path().display().to_string(), if cfg!(windows) { ";" } else { ":" }),
        ]
    }

    /// As [`Recorder::variables`], for a command that starts a JVM.
    ///
    /// # Errors
    /// Why its tests are not recorded, for people.
    pub fn jvm_variables(&self, now: &dyn Fn(&str) -> Option<String>) -> Result<(String, String), String> {
        let jar = jvm::agent(self.folder.path())?;
        let own = format!("-javaagent:{}", jar.display());
        // Options are parted by spaces, but for those in quotes.
        let own = if own.contains(' ') { format!("'{own}'") } else { own };
        let name = "JAVA_TOOL_OPTIONS".to_owned();
        Ok((
            name.clone(),
            match now(&name).filter(|v| !v.is_empty()) {
                Some(before) => format!("{before} {own}"),
                None => own,
            },
        ))
    }

    /// Starts a proxy in front of a service; gives the variable that holds its address,
    /// with the path that the service's own address has.
    /// Requests that may be repeated are sent again in flight where an answer asks for
    /// a short wait, unless `retries` is false.
    ///
    /// # Errors
    /// Where this machine gives no port.
    pub fn start_proxy(&self, upstream: &Upstream, retries: bool) -> Result<(String, String), Problem> {
        let address = proxy::start(upstream, Arc::clone(&self.kept), retries)?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).own.push(address.clone());
        let path = upstream.url.path().trim_end_matches('/');
        Ok((upstream.variable.clone(), format!("{address}{path}")))
    }

    /// The origins of its proxies.
    #[must_use]
    pub fn proxies(&self) -> Vec<String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).own.clone()
    }

    /// The exchanges so far.
    #[must_use]
    pub fn so_far(&self) -> Vec<Exchange> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        swept(in_order(kept.exchanges.clone()), &kept.masker)
    }

    /// The tests in the order in which they first began.
    #[must_use]
    pub fn order(&self) -> Vec<String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).order.clone()
    }

    /// Where pytest writes a report that its command asks for.
    #[must_use]
    pub fn report(&self) -> Option<PathBuf> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).report.clone()
    }

    /// Tests that failed for the mutant at an index, since this was last asked.
    #[must_use]
    pub fn noticed(&self) -> Vec<(String, usize)> {
        self.settle();
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner).noticed)
    }

    /// Forgets what came after the first `count` exchanges.
    pub fn forget(&self, count: usize) {
        self.settle();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).exchanges.truncate(count);
    }

    /// How many exchanges there are so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).exchanges.len()
    }

    /// Ends the recording.
    #[must_use]
    pub fn end(&self) -> Recorded {
        self.settle();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let exchanges = std::mem::take(&mut kept.exchanges);
        Recorded {
            exchanges: swept(in_order(exchanges), &kept.masker),
            lost: kept.lost,
            waits: std::mem::take(&mut kept.waits),
        }
    }

    /// Gives what is still on its way a moment to arrive.
    pub fn settle(&self) {
        let (mut before, mut alike) = (usize::MAX, 0);
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(5));
            // Where all clients have hung up, nothing is on its way; a process that the
            // tests left behind may never.
            if self.open.load(Ordering::SeqCst) == 0 {
                break;
            }
            let now = self.count();
            alike = if now == before { alike + 1 } else { 0 };
            if alike == 10 {
                break;
            }
            before = now;
        }
    }
}

/// Takes in what one client sends; a client that does not know the word is none.
fn listen(stream: socket::Stream, word: &str, kept: &Mutex<Recording>) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if (&mut reader).take(100).read_line(&mut first).is_err() || first.trim_end() != word {
        return;
    }
    loop {
        let mut line = Vec::new();
        // A line that never ends is cut off.
        let bound = u64::try_from(recording::LINE).unwrap_or(u64::MAX) + 1;
        match (&mut reader).take(bound).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if let Some(word) = told(&line) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Told::Began(test) = &word {
                kept.present = Some(test.clone());
            }
            match word {
                Told::Began(test) if kept.order.len() < MOST && !kept.order.contains(&test) => kept.order.push(test),
                Told::Report(path) => kept.report = Some(path),
                Told::Noticed(test, at) if kept.noticed.len() < MOST => kept.noticed.push((test, at)),
                Told::Began(_) | Told::Noticed(..) => {}
            }
            continue;
        }
        let parsed = recording::parse(String::from_utf8_lossy(&line).trim_end());
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match parsed {
            // What goes through a proxy of ours is seen there.
            Ok(exchange) if kept.own.contains(&exchange.request.origin) => {}
            Ok(exchange) => kept.take(begun(&line), exchange),
            Err(_) => kept.lost += 1,
        }
    }
}

/// When an exchange began, to the fraction of a second.
fn begun(line: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(&line[..line.len().min(2000)]);
    let number = text.split("\"at\":").nth(1).unwrap_or("").trim_start();
    let end = number.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(number.len());
    number[..end].parse().unwrap_or(0.0)
}

fn in_order(mut all: Vec<(f64, Exchange)>) -> Vec<Exchange> {
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().map(|(_, exchange)| exchange).collect()
}

/// Without what has become known as a secret by now.
fn swept(mut all: Vec<Exchange>, masker: &Masker) -> Vec<Exchange> {
    let sweep = masker.sweep();
    for exchange in &mut all {
        sweep.exchange(exchange);
    }
    all
}

/// What a client tells besides exchanges.
enum Told {
    Began(String),
    Report(PathBuf),
    Noticed(String, usize),
}

fn told(line: &[u8]) -> Option<Told> {
    // Exchanges begin otherwise, and are many.
    let is_word = ["began", "report", "noticed"]
        .iter()
        .any(|w| line.starts_with(format!("{{\"testmedic\":1,\"{w}\"").as_bytes()));
    let value: serde_json::Value = serde_json::from_slice(line).ok().filter(|_| is_word)?;
    let began = value["began"].as_str().map(|test| Told::Began(test.to_owned()));
    let mutant = value["mutant"].as_u64().and_then(|at| usize::try_from(at).ok());
    let noticed = value["noticed"].as_str().zip(mutant).map(|(test, at)| Told::Noticed(test.to_owned(), at));
    began.or(noticed).or_else(|| value["report"].as_str().map(|path| Told::Report(PathBuf::from(path))))
}

/// Writes a recording, a line for each exchange.
///
/// # Errors
/// Where it cannot be written.
pub fn write(path: &Path, exchanges: &[Exchange]) -> Result<(), Problem> {
    let failed = |e: std::io::Error| Problem::failed(format!("cannot write {}", path.display())).because(e);
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
        let ignored = folder.join(".gitignore");
        // What was recorded belongs into no repository by accident.
        if folder.file_name().is_some_and(|name| name == ".testmedic") && !ignored.exists() {
            std::fs::write(ignored, "*\n").map_err(failed)?;
        }
    }
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    for exchange in exchanges {
        writeln!(file, "{}", recording::line(exchange)).map_err(failed)?;
    }
    file.flush().map_err(failed)
}
