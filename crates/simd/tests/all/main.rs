//! Every table against scalar arithmetic, and the generic functions at every lane width.

mod contract;
mod functions;
mod moves;
mod packing;
mod products;
mod ranks;

use lookback_simd::{Emulated, InstructionSet, Isa, Kernel};

/// Runs a kernel on every instruction set of this machine and on emulated shapes.
fn on_every<K: Kernel + Copy>(kernel: K, mut check: impl FnMut(&str, K::Output)) {
    for set in InstructionSet::available() {
        check(set.name(), set.run(kernel));
    }
    check("1 lane", Emulated::<1, 3, 16, 16>.run(kernel));
    check("2 lanes", Emulated::<2, 3, 8, 8>.run(kernel));
    check("8 lanes, 6×16", Emulated::<8, 6, 2, 2>.run(kernel));
    check("16 lanes, 14×32", Emulated::<16, 14, 2, 1>.run(kernel));
}

#[test]
fn instruction_sets_by_name() {
    assert!(InstructionSet::named("mmx").is_err());
    for set in InstructionSet::available() {
        assert_eq!(
            InstructionSet::named(set.name()).map(|s| s.name()),
            Ok(set.name())
        );
    }
}
