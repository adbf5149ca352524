//! Changes to inputs, from a seed: the same seed gives the same inputs.

use crate::corpus::Input;

/// Numbers from a seed (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Less than `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The longest input.
const LONGEST: usize = 1 << 18;

/// A changed copy of an entry of the corpus. `words` are what the format is written in; `reach` is how much of the beginning
/// is changed.
pub(crate) fn mutated(
    random: &mut Random,
    corpus: &[Input],
    words: &[&str],
    reach: usize,
) -> Input {
    let Input { mut bytes, origin } = random.pick(corpus).clone();
    for _ in 0..1 + random.below(6) {
        let end = reach.min(bytes.len());
        let at = random.below(end + 1);
        let length = 1 + random.below(16);
        let to = (at + length).min(bytes.len());
        match random.below(if words.is_empty() { 8 } else { 12 }) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.next() as u8,
            2 => drop(bytes.drain(at..to)),
            3 => {
                let inserted: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
                bytes.splice(at..at, inserted);
            }
            4 => {
                let number =
                    *random.pick(&[0, 1, 255, 1 << 31, 1 << 40, 1 << 63, u64::MAX - 7, u64::MAX]);
                for (byte, new) in bytes[at..].iter_mut().zip(number.to_le_bytes()) {
                    *byte = new;
                }
            }
            5 => {
                let repeated = bytes[at..to].to_vec().repeat(1 + random.below(40));
                bytes.splice(at..at, repeated);
            }
            6 => {
                let other = &random.pick(corpus).bytes;
                let from = random.below(other.len().min(reach) + 1);
                let until = (from + 1 + random.below(64)).min(other.len());
                bytes.splice(at..to, other[from.min(until)..until].iter().copied());
            }
            7 if random.below(8) == 0 => bytes.truncate(at),
            8.. => drop(bytes.splice(
                at..if random.below(2) == 0 { at } else { to },
                random.pick(words).bytes(),
            )),
            _ => {}
        }
    }
    bytes.truncate(LONGEST);
    Input { bytes, origin }
}
