//! An author's file: parse, check, format, compile, run its tests.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mapwright_fuzz::mapping(data));
