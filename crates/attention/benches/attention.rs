//! Every operation on the shapes that results are reported for: `cargo bench -p lookback-attention`.
//!
//! `-- --save-baseline NAME` keeps a result to compare with, `-- --baseline NAME` compares, and a part of a name, such as
//! `-- decode`, picks. `lookback bench attention` measures the same cases against the processor's limits.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lookback_attention::InstructionSet;
use lookback_attention::measure::{BenchmarkCase, Operation, prepare};

fn attention(criterion: &mut Criterion) {
    let set = InstructionSet::best();
    for case in BenchmarkCase::standard() {
        let mut group = criterion.benchmark_group(case.operation.name());
        group.sample_size(10);
        group.throughput(match case.operation {
            Operation::Decode => Throughput::Bytes(case.cache_bytes() as u64),
            _ => Throughput::Elements(case.flops() as u64),
        });
        let name = format!(
            "b{} h{}-{} n{} m{} d{} {}",
            case.b,
            case.h,
            case.h_kv,
            case.n,
            case.m,
            case.d_k,
            case.storage.name()
        );
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            // The operands are made when the case is picked, and are gone after it.
            let mut run = prepare(set, &case);
            // The first run is not like the others: observing finds the LSE that it needs, decoding its memory.
            run().expect("shapes that fit");
            bencher.iter(|| run().expect("shapes that fit"));
        });
        group.finish();
    }
}

criterion_group!(benches, attention);
criterion_main!(benches);
