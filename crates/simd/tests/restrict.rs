//! What a process chooses is restricted for the whole of it, so that this is a test of its own.

use lookback_simd::InstructionSet;

#[test]
fn the_best_is_at_most_what_is_allowed() {
    let available = InstructionSet::available();
    assert_eq!(InstructionSet::best(), available[0]);
    for set in &available {
        set.restrict();
        assert_eq!(InstructionSet::best(), *set);
    }
    // Asked for by its name, each is still to be had.
    for set in &available {
        assert_eq!(InstructionSet::named(set.name()).unwrap(), *set);
    }
    available[0].restrict();
    assert_eq!(InstructionSet::best(), available[0]);
}
