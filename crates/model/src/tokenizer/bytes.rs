//! Byte-level vocabularies: every byte of UTF-8 written as one printable character, so that
//! any text has tokens (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners").

/// The byte that a character of a byte-level vocabulary stands for.
pub(super) fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        // Printable bytes stand for themselves …
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => Some(code as u8),
        // … the others, in order, for the characters from U+0100 on.
        0x100..=0x120 => Some((code - 0x100) as u8),
        0x121..=0x142 => Some((code - 0x121 + 0x7f) as u8),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The character that a byte-level vocabulary writes for `byte`: the inverse of [`byte_of`].
pub(super) fn character_of(byte: u8) -> char {
    let code = match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u32::from(byte),
        0x00..=0x20 => 0x100 + u32::from(byte),
        0x7f..=0xa0 => 0x121 + u32::from(byte) - 0x7f,
        0xad => 0x143,
    };
    char::from_u32(code).expect("all codes lie below the surrogates")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_character() {
        let mut characters: Vec<char> = (0..=255).map(character_of).collect();
        for (byte, &character) in (0..=255).zip(&characters) {
            assert_eq!(byte_of(character), Some(byte));
            assert!(!character.is_whitespace() && !character.is_control());
        }
        characters.sort_unstable();
        characters.dedup();
        assert_eq!(characters.len(), 256);
        assert_eq!((character_of(b' '), character_of(b'\n')), ('Ġ', 'Ċ'));
        assert_eq!(byte_of('▁'), None);
    }
}
