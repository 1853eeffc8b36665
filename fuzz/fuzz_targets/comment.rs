#![no_main]
//! A comment and a quarantine of any bytes: read, never a panic; few commands, and no
//! text of them that is shown has a line break or an invisible mark in it.

use libfuzzer_sys::fuzz_target;
use testmedic::ingest::command::{ParsedLine, read};
use testmedic::model::text::is_invisible;
use testmedic::plan::quarantine;

fuzz_target!(|text: &str| {
    let lines = read(text);
    assert!(lines.len() <= 11);
    for line in lines {
        let shown = match line {
            ParsedLine::Order(order) => order.text,
            ParsedLine::Slip { text, .. } => text,
        };
        assert!(shown.len() <= 200 && !shown.contains('\n') && !shown.chars().any(is_invisible));
    }
    let (entries, _) = quarantine::read(text);
    for entry in entries {
        let kept = quarantine::with(Some(text), &entry, &|other| *other == entry);
        assert!(quarantine::read(&kept).0.contains(&entry));
    }
});
