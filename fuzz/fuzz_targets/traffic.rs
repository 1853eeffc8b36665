#![no_main]
//! Any bytes as a file of traffic, and the shapes of whatever was read.

use libfuzzer_sys::fuzz_target;
use testmedic::ingest::traffic::masking::Masker;
use testmedic::ingest::traffic::read;
use testmedic::model::time::Timestamp;
use testmedic::traffic::api_model::ApiModel;
use testmedic::traffic::drift;
use testmedic::traffic::template::Templates;

fuzz_target!(|bytes: &[u8]| {
    let traffic = read("file", bytes, &mut Masker::new(true));
    let templates = Templates::default().taught(traffic.exchanges.iter().map(|e| e.request.path.as_str()));
    let memory = ApiModel::of(&traffic.exchanges, &templates, Timestamp::from_unix(0));
    assert_eq!(drift::between(&memory, &memory), []);
});
