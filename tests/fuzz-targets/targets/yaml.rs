//! A snapshot of a schema, and a configuration.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mapwright_fuzz::yaml(data));
