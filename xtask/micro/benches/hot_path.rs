//! How long each part takes: `cargo bench -p xtask-micro`.

#![expect(clippy::expect_used, reason = "a measurement, not a library")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xtask_micro::PARTS;

fn hot_path(criterion: &mut Criterion) {
    for part in PARTS {
        let mut round = part.prepare().expect("a part that can be prepared");
        let mut group = criterion.benchmark_group(part.name);
        group.throughput(Throughput::Elements(part.messages));
        group.bench_function("round", |bencher| {
            bencher.iter(|| round.play().expect("a round that goes well"));
        });
        group.finish();
    }
}

criterion_group!(benches, hot_path);
criterion_main!(benches);
