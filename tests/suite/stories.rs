//! Random suites with known truth: solid tests, tests that broke at a commit,
//! tests that fail by chance, tests that never passed; runs with outages,
//! skips, noisy names, imported in any order and twice. What can be known from
//! a story must be judged right, and windows must be exact.

use std::fmt::Write as _;

use crate::support::{Workplace, check_contract};

/// SplitMix64: the same stories on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Solid,
    /// Fails from this run on.
    Broke(usize),
    /// Fails in so many of a hundred runs.
    Chance(u64),
    Never,
}

struct Test {
    name: String,
    kind: Kind,
    noisy: bool,
    /// `Some(bad)` for each run that counts.
    past: Vec<Option<bool>>,
    bad_now: bool,
}

fn case(test: &Test, dice: &mut Dice, failure: Option<&str>) -> String {
    let noise = if test.noisy { format!("[seed={}]", dice.below(1_000_000)) } else { String::new() };
    let open = format!("<testcase classname='shop.{}' name='{}{noise}'", &test.name[..6], test.name);
    match failure {
        None => format!("{open}/>"),
        Some(text) => format!(
            "{open}><failure message='{text}'>src/{}.py:{}: E</failure></testcase>",
            test.name,
            dice.below(90) + 1
        ),
    }
}

fn commit(run: usize) -> String {
    format!("{:040x}", 0xabcd_0000_u64 + run as u64)
}

fn tell(seed: u64) {
    let mut dice = Dice(seed);
    let runs = 12 + dice.below(40) as usize;
    let mut tests: Vec<Test> = (0..12 + dice.below(12))
        .map(|n| {
            let kind = match dice.below(10) {
                0 | 1 => Kind::Broke(6 + dice.below(runs as u64 - 5) as usize),
                2 => Kind::Chance(10 + dice.below(30)),
                3 if n > 8 => Kind::Never,
                _ => Kind::Solid,
            };
            Test {
                name: format!("test_{}_does", char::from(b'a' + n as u8)),
                kind,
                noisy: dice.chance(30),
                past: Vec::new(),
                bad_now: false,
            }
        })
        .collect();
    let place = Workplace::new();
    let mut manifest: Vec<String> = Vec::new();
    for run in 0..=runs {
        let present = run == runs;
        let outage = !present && run > 0 && dice.chance(8);
        let mut xml = String::from("<testsuite name='stories'>");
        for test in &mut tests {
            let bad = match test.kind {
                Kind::Solid => false,
                Kind::Broke(since) => run >= since,
                Kind::Chance(percent) => dice.chance(percent),
                Kind::Never => true,
            };
            let skipped = !present && dice.chance(3);
            let message = format!("ValueError: {} is {}", test.name, dice.below(9999));
            let line = if outage {
                case(test, &mut dice, Some("ConnectionRefusedError: [Errno 111] Connection refused"))
            } else if skipped {
                case(test, &mut dice, None).replace("/>", "><skipped/></testcase>")
            } else {
                case(test, &mut dice, bad.then_some(message.as_str()))
            };
            xml.push_str(&line);
            if present {
                test.bad_now = bad;
            } else {
                test.past.push((!outage && !skipped).then_some(bad));
            }
        }
        xml.push_str("</testsuite>");
        place.write(&format!("past/{run}.xml"), xml);
        let mut line = String::new();
        let _ = write!(
            line,
            "{{\"reports\":[\"{run}.xml\"],\"commit\":\"{}\",\"branch\":\"main\",\"at\":\"2026-{:02}-{:02}T10:00:00Z\",\"run\":{run}}}",
            commit(run),
            1 + run / 28,
            1 + run % 28
        );
        if !present {
            manifest.push(line.clone());
            if dice.chance(20) {
                manifest.push(line);
            }
        }
    }
    for at in (1..manifest.len()).rev() {
        manifest.swap(at, dice.below(at as u64 + 1) as usize);
    }
    place.write("past/m.jsonl", manifest.join("\n"));
    assert_eq!(place.run(&["history", "import", "--manifest", "past/m.jsonl"]).code, 0);
    let present = format!("past/{runs}.xml");
    let head = commit(runs);
    let report =
        place.triage(&["--junit", &present, "--head", &head, "--branch", "main", "--at", "2026-12-01T10:00:00Z"]);
    check_contract(&report);
    for test in tests.iter().filter(|t| t.bad_now) {
        let diagnosis = report["diagnoses"]
            .as_array()
            .unwrap()
            .iter()
            .find(|d| {
                d["tests"].as_array().unwrap().iter().any(|t| t["name"].as_str().unwrap().starts_with(&test.name))
            })
            .unwrap_or_else(|| panic!("seed {seed}: {} is in no diagnosis", test.name));
        judge(seed, test, diagnosis, runs);
    }
}

fn judge(seed: u64, test: &Test, diagnosis: &serde_json::Value, runs: usize) {
    let verdict = diagnosis["verdict"].as_str().unwrap();
    let known: Vec<(usize, bool)> =
        test.past.iter().enumerate().filter_map(|(run, bad)| bad.map(|b| (run, b))).collect();
    let passes = known.iter().filter(|(_, bad)| !bad).count();
    let tail = known.iter().rev().take_while(|(_, bad)| *bad).count();
    let why = || format!("seed {seed}, {} {:?} {known:?}: {diagnosis:#}", test.name, test.kind);
    match test.kind {
        Kind::Solid => panic!("a solid test fails: {}", why()),
        Kind::Never if known.len() >= 4 => assert_eq!(verdict, "broken-test", "{}", why()),
        Kind::Broke(_) if passes >= 5 => {
            assert_eq!(verdict, "regression", "{}", why());
            let good = known.iter().rev().find(|(_, bad)| !bad).map(|(run, _)| commit(*run));
            let bad =
                known.iter().rev().take_while(|(_, bad)| *bad).last().map_or(commit(runs), |(run, _)| commit(*run));
            assert_eq!(diagnosis["history"]["last_good"].as_str(), good.as_deref(), "{}", why());
            assert_eq!(diagnosis["history"]["first_bad"].as_str(), Some(bad.as_str()), "{}", why());
        }
        Kind::Chance(_) => {
            let bits: Vec<bool> = known.iter().map(|(_, bad)| *bad).collect();
            let short = short_failures(&bits);
            if short >= 3 && tail < 2 {
                assert_eq!(verdict, "flaky", "{}", why());
            }
        }
        _ => {}
    }
    assert!(passes > 0 || verdict != "flaky", "never passed, so never flaky: {}", why());
}

/// Failures of one or two runs with passes on both sides.
fn short_failures(bits: &[bool]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < bits.len() {
        let length = bits[at..].iter().take_while(|b| **b).count();
        if length > 0 && length <= 2 && at > 0 && at + length < bits.len() {
            count += 1;
        }
        at += length.max(1);
    }
    count
}

#[test]
fn random_stories_are_judged_right() {
    for seed in 0..40 {
        tell(seed);
    }
}
