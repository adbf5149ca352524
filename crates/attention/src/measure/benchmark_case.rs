//! What is measured.

use crate::Mask;

/// What a case computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// O and LSE.
    Forward,
    /// O and LSE, then dQ, dK and dV.
    ForwardBackward,
    /// O and LSE of few queries, all keys visible; each run takes another cache of a ring of 256 MiB or more, so that no
    /// cache of the processor holds what is read next.
    Decode,
    /// Every observer in one walk over the weights: top 16 by weight and by product, entropy, mass on eight spans and by
    /// distance, weight received, row maxima, sixteen whole rows and a picture of 256×256.
    Observe,
    /// O and LSE and what the same observers find, in one pass.
    ForwardObserve,
}

impl Operation {
    /// `forward`, `forward_backward`, `decode`, `observe` or `forward_observe`.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Forward => "forward",
            Operation::ForwardBackward => "forward_backward",
            Operation::Decode => "decode",
            Operation::Observe => "observe",
            Operation::ForwardObserve => "forward_observe",
        }
    }
}

/// How keys and values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// 4 bytes a value.
    F32,
    /// 2 bytes a value; decoding only.
    F16,
}

impl Storage {
    /// `f32` or `f16`.
    pub fn name(&self) -> &'static str {
        match self {
            Storage::F32 => "f32",
            Storage::F16 => "f16",
        }
    }

    /// Bytes a value.
    pub fn bytes(&self) -> usize {
        match self {
            Storage::F32 => 4,
            Storage::F16 => 2,
        }
    }
}

/// An operation on a shape, causal but for decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchmarkCase {
    /// What is computed.
    pub operation: Operation,
    /// Batch elements.
    pub b: usize,
    /// Query heads.
    pub h: usize,
    /// Key/value heads.
    pub h_kv: usize,
    /// Queries.
    pub n: usize,
    /// Keys.
    pub m: usize,
    /// Head dimension of queries and keys.
    pub d_k: usize,
    /// Head dimension of values.
    pub d_v: usize,
    /// How keys and values are stored.
    pub storage: Storage,
}

impl BenchmarkCase {
    /// Forward, 12 heads of 64, 1,024 tokens.
    pub const FORWARD: BenchmarkCase = BenchmarkCase {
        operation: Operation::Forward,
        b: 1,
        h: 12,
        h_kv: 12,
        n: 1024,
        m: 1024,
        d_k: 64,
        d_v: 64,
        storage: Storage::F32,
    };

    /// Decode, 32 heads of 128, one query, 4,096 keys.
    pub const DECODE: BenchmarkCase = BenchmarkCase {
        operation: Operation::Decode,
        b: 1,
        h: 32,
        h_kv: 32,
        n: 1,
        m: 4096,
        d_k: 128,
        d_v: 128,
        storage: Storage::F32,
    };

    /// The cases that results are reported for. The longest cache takes 1.1 GB.
    pub fn standard() -> Vec<BenchmarkCase> {
        let forward = BenchmarkCase::FORWARD;
        let tokens = |n| BenchmarkCase { n, m: n, ..forward };
        let mut shapes: Vec<BenchmarkCase> = [512, 1024, 2048, 4096, 8192].map(tokens).into();
        shapes.push(BenchmarkCase {
            h: 9,
            h_kv: 3,
            ..tokens(2048)
        });
        shapes.push(BenchmarkCase {
            h: 32,
            h_kv: 32,
            d_k: 128,
            d_v: 128,
            ..tokens(2048)
        });
        shapes.push(BenchmarkCase {
            b: 8,
            ..tokens(256)
        });
        let both = shapes.iter().map(|&shape| BenchmarkCase {
            operation: Operation::ForwardBackward,
            ..shape
        });
        let mut cases: Vec<BenchmarkCase> = shapes.iter().copied().chain(both).collect();
        for m in [4096, 32_768] {
            for h_kv in [32, 8] {
                for storage in [Storage::F32, Storage::F16] {
                    cases.push(BenchmarkCase {
                        h_kv,
                        m,
                        storage,
                        ..BenchmarkCase::DECODE
                    });
                }
            }
        }
        cases.extend(
            [Operation::Observe, Operation::ForwardObserve].map(|operation| BenchmarkCase {
                operation,
                ..tokens(8192)
            }),
        );
        cases
    }

    /// A few of them, small: a first look.
    pub fn quick() -> Vec<BenchmarkCase> {
        let backward = BenchmarkCase {
            operation: Operation::ForwardBackward,
            ..BenchmarkCase::FORWARD
        };
        let half = BenchmarkCase {
            storage: Storage::F16,
            ..BenchmarkCase::DECODE
        };
        let observe = BenchmarkCase {
            operation: Operation::Observe,
            ..BenchmarkCase::FORWARD
        };
        let both = BenchmarkCase {
            operation: Operation::ForwardObserve,
            ..BenchmarkCase::FORWARD
        };
        vec![
            BenchmarkCase::FORWARD,
            backward,
            BenchmarkCase::DECODE,
            half,
            observe,
            both,
        ]
    }

    /// Which keys a query sees.
    pub fn mask(&self) -> Mask {
        match self.operation {
            Operation::Decode => Mask::None,
            _ => Mask::causal_at_end(self.n, self.m),
        }
    }

    /// Floating-point operations that count: [`forward_flops`], and 2.5 times that for the gradients; of observing those
    /// of the scores alone, but of observing with the forward pass that pass's.
    pub fn flops(&self) -> f64 {
        let forward = forward_flops(
            self.b * self.h,
            (self.n, self.m),
            (self.d_k, self.d_v),
            &self.mask(),
        );
        match self.operation {
            Operation::ForwardBackward => 3.5 * forward,
            Operation::Observe => forward * self.d_k as f64 / (self.d_k + self.d_v) as f64,
            _ => forward,
        }
    }

    /// Bytes of the keys and values.
    pub fn cache_bytes(&self) -> usize {
        self.b * self.h_kv * self.m * (self.d_k + self.d_v) * self.storage.bytes()
    }

    /// Bytes that have to be read and written at least: every operand and result once (of observing alone, Q, K and the LSE; what
    /// observers find is not counted).
    pub fn bytes(&self) -> usize {
        let q = self.b * self.h * self.n * self.d_k;
        let o = self.b * self.h * self.n * (self.d_v + 1);
        let kv = self.cache_bytes();
        match self.operation {
            Operation::Observe => {
                4 * (q + self.b * self.h * self.n) + kv * self.d_k / (self.d_k + self.d_v)
            }
            // dO in, and each gradient out.
            Operation::ForwardBackward => 4 * (2 * q + 2 * o) + 2 * kv,
            _ => 4 * (q + o) + kv,
        }
    }
}

/// Floating-point operations that a forward pass needs: 2·(d_k + d_v) for each visible pair of query and key. The
/// exponentials are not counted.
pub fn forward_flops(
    heads: usize,
    (n, m): (usize, usize),
    (d_k, d_v): (usize, usize),
    mask: &Mask,
) -> f64 {
    let pairs: usize = (0..n).map(|i| mask.visible(i, m).len()).sum();
    (heads * 2 * (d_k + d_v)) as f64 * pairs as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_and_bytes_of_small_cases() {
        let case = BenchmarkCase {
            b: 2,
            h: 4,
            h_kv: 2,
            n: 3,
            m: 3,
            d_k: 5,
            d_v: 7,
            ..BenchmarkCase::FORWARD
        };
        // 8 heads, 1 + 2 + 3 visible pairs, 12 multiply-adds each.
        assert_eq!(case.flops(), 8.0 * 6.0 * 24.0);
        assert_eq!(case.cache_bytes(), 4 * 3 * 12 * 4);
        let backward = BenchmarkCase {
            operation: Operation::ForwardBackward,
            ..case
        };
        assert_eq!(backward.flops(), 3.5 * case.flops());
        let decode = BenchmarkCase {
            operation: Operation::Decode,
            n: 1,
            storage: Storage::F16,
            ..case
        };
        assert_eq!(decode.flops(), 8.0 * 3.0 * 24.0);
        assert_eq!(decode.bytes(), 4 * 3 * 12 * 2 + 8 * (5 + 7 + 1) * 4);
    }
}
