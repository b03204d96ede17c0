//! The parts of the program, each alone: parse, check, compile, and what one record costs.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mapwright::check::check;
use mapwright::eval::{Line, Lines};
use mapwright::plan::compile;
use mapwright::source::Sources;
use mapwright::syntax;

use support::{Parsed, contacts, project};

/// Mappings of the project that the front is measured with.
const MAPPINGS: usize = 50;
/// Records that are evaluated in turn: more than a cache predicts.
const RECORDS: usize = 2000;
/// The seed of the records.
const SEED: u64 = 7;

/// Files to a plan.
fn front(criterion: &mut Criterion) {
    let files = project::files(MAPPINGS);
    let mut group = criterion.benchmark_group("front");
    group.throughput(Throughput::Elements(MAPPINGS as u64));
    group.sample_size(20);
    let maps: Vec<_> = files.iter().filter(|(name, _)| name.starts_with("mappings/mapping_")).collect();
    group.bench_function("parse", |bencher| {
        let mut sources = Sources::new();
        let maps: Vec<_> =
            maps.iter().map(|(name, text)| (sources.add(name.clone(), text.clone()), text)).collect();
        bencher.iter(|| {
            for (file, text) in &maps {
                black_box(syntax::parse(*file, text));
            }
        });
    });
    let parsed = Parsed::new(&files);
    group.bench_function("check", |bencher| {
        bencher.iter(|| check(&parsed.trees, &parsed.schemas, &parsed.sources));
    });
    let checked = parsed.check();
    group.bench_function("compile", |bencher| {
        bencher.iter(|| compile(&checked, &parsed.schemas, &parsed.sources));
    });
    group.finish();
}

/// Records to lines of fields.
fn eval(criterion: &mut Criterion) {
    let plan = Parsed::new(&project::contacts()).plan();
    let mapping = plan.mapping(contacts::MAPPING).expect("the mapping");
    let mut text = Vec::new();
    contacts::write(RECORDS, SEED, &mut text).expect("memory can be written");
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let records = support::records(&text);
    let slots: Vec<_> = records.iter().map(|record| support::slots(mapping, record)).collect();

    let mut group = criterion.benchmark_group("eval");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, provenance) in [("record", false), ("record with provenance", true)] {
        let lines = Lines::new(&plan, mapping, provenance);
        group.bench_function(name, |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                for slots in &slots {
                    assert_eq!(lines.record(slots, &mut out), Line::Written);
                }
            });
        });
    }
    for (name, provenance) in [("line", false), ("line with provenance", true)] {
        let mut ready = Lines::new(&plan, mapping, provenance);
        group.bench_function(name, |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                for line in &lines {
                    assert_eq!(ready.line(line, &mut out), Line::Written);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, front, eval);
criterion_main!(benches);
