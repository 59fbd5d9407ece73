#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trellis::fuzz::run("raw_requests", data));
