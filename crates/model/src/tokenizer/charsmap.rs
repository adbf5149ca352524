//! SentencePiece's table of what characters become (`precompiled_charsmap`), checked before the library trusts it.
//!
//! It holds a double-array trie over bytes, whose values are places in a text of replacements, each ended by a zero
//! byte. Layout: the trie's length in bytes (u32), its units (u32 each), the replacements
//! (<https://github.com/google/sentencepiece>, `normalizer.cc`; Yata et al., `darts.h`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest replacement, in bytes. That of SentencePiece's own tables has 33; a longer one would make gigabytes of a page.
const LONGEST: usize = 128;

/// Whether a table in base64 can be looked up in without leaving it.
pub(super) fn is_sound_base64(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|table| is_sound(&table))
}

/// Whether every step from any unit leads to a unit, and every value to the beginning of a character of a replacement that is not
/// too long.
pub(super) fn is_sound(table: &[u8]) -> bool {
    let Some((length, rest)) = table.split_first_chunk::<4>() else {
        return false;
    };
    let length = u32::from_le_bytes(*length) as usize;
    let Some((trie, replacements)) = rest.split_at_checked(length) else {
        return false;
    };
    let (Ok(replacements), (units, [])) =
        (std::str::from_utf8(replacements), trie.as_chunks::<4>())
    else {
        return false;
    };
    let units: Vec<usize> = units
        .iter()
        .map(|unit| u32::from_le_bytes(*unit) as usize)
        .collect();
    // A step goes from a unit's offset to the unit that the next byte, of 256, selects there.
    let leads_inside = |(place, &unit): (usize, &usize)| {
        if place > 0 && is_value(unit) {
            return true;
        }
        let base = place ^ offset(unit);
        let is_inside = (base | 0xff) < units.len();
        is_inside
            && (place == 0 || !has_value(unit) || is_replacement(replacements, units[base] & VALUE))
    };
    !units.is_empty() && units.iter().enumerate().all(leads_inside)
}

/// Whether a character begins at `place`, and a zero byte or the end follows soon.
fn is_replacement(replacements: &str, place: usize) -> bool {
    let Some(rest) = replacements.get(place..) else {
        return false;
    };
    rest.len() <= LONGEST || rest.as_bytes()[..=LONGEST].contains(&0)
}

/// The bits of a value; the one above them marks a unit that is one, which no byte selects.
const VALUE: usize = 0x7fff_ffff;

fn is_value(unit: usize) -> bool {
    unit > VALUE
}

/// How far the units that follow a unit lie from it, as a difference in bits.
fn offset(unit: usize) -> usize {
    (unit >> 10) << ((unit & (1 << 9)) >> 6)
}

/// Whether a key ends at a unit: its value is the unit at the offset itself.
fn has_value(unit: usize) -> bool {
    (unit >> 8) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trie of 256 units without keys, and one replacement.
    fn table(change: impl FnOnce(&mut Vec<u32>)) -> Vec<u8> {
        table_of("é\0", change)
    }

    fn table_of(replacements: &str, change: impl FnOnce(&mut Vec<u32>)) -> Vec<u8> {
        let mut units = vec![0_u32; 256];
        change(&mut units);
        let mut bytes = (units.len() as u32 * 4).to_le_bytes().to_vec();
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(replacements.as_bytes());
        bytes
    }

    #[test]
    fn a_table_that_leads_outside_is_not_sound() {
        assert!(is_sound(&table(|_| {})));
        // The key "a" with a value: the unit 97 has the label 97, a value, and the offset 97, which leads to unit 0.
        let value = |place: u32| {
            table(move |units| {
                units[97] = 97 | 1 << 8 | 97 << 10;
                units[0] = place;
            })
        };
        assert!(is_sound(&value(0)) && is_sound(&value(2)));
        assert!(!is_sound(&value(1)), "within a character");
        assert!(!is_sound(&value(500)), "beyond the end");
        assert!(!is_sound(&table(|units| units[5] = 300 << 10)));
        assert!(!is_sound(&table(|units| units.truncate(255))));
        assert!(!is_sound(&table(Vec::clear)));
        let whole = table(|_| {});
        assert!(!is_sound(&whole[..100]) && !is_sound(&[]) && !is_sound(&[0; 4]));
        assert!(!is_sound_base64("AAAA/////w==") && !is_sound_base64("no base64"));
    }
    /// One character that becomes a megabyte makes a terabyte of a text of one.
    #[test]
    fn a_replacement_that_is_too_long_is_not_sound() {
        let long = |length: usize, end: &str| {
            let text = format!("{}{end}", "a".repeat(length));
            table_of(&text, |units| {
                units[97] = 97 | 1 << 8 | 97 << 10;
                units[0] = 0;
            })
        };
        assert!(is_sound(&long(LONGEST, "")) && is_sound(&long(LONGEST, "\0b\0")));
        assert!(!is_sound(&long(LONGEST + 1, "")) && !is_sound(&long(LONGEST + 1, "\0")));
    }
}
