//! Which of some values are among the largest.

use crate::line::Line;

/// [`Isa::leading`](crate::Isa::leading), one value after the other.
#[inline]
pub(crate) fn leading(values: &[Line], k: usize) -> u64 {
    let values = Line::flat(values);
    let mut halves = [0_u16; 64];
    for (half, value) in halves.iter_mut().zip(values) {
        // Without the sign, which NaN may have.
        *half = (value.to_bits() >> 16) as u16 & 0x7fff;
    }
    let halves = &halves[..values.len()];
    let mut bits = 0;
    for (i, value) in halves.iter().enumerate() {
        let larger = halves.iter().filter(|other| *other > value).count();
        bits |= u64::from(larger < k) << i;
    }
    bits
}
