//! The body of a webhook, signed, as the listener reads it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mapwright_fuzz::webhook(data));
