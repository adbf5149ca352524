//! Reading little-endian values from bytes that may lie about their lengths.

use super::GgufError;

/// A position in a file's bytes; every step is checked against their end.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: u64, what: &'static str) -> Result<&'a [u8], GgufError> {
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| self.position.checked_add(count))
            .filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(GgufError::Truncated {
                what,
                offset: self.position,
                needed: count,
                left: self.left(),
            });
        };
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], GgufError> {
        let taken = self.take(N as u64, what)?;
        Ok(taken.try_into().expect("take gives N bytes"))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count of things of at least `least` bytes each, so that no more are believed in than
    /// the remaining bytes can hold.
    pub(crate) fn count(&mut self, least: usize, what: &'static str) -> Result<usize, GgufError> {
        let count = self.u64(what)?;
        let left = self.left();
        match usize::try_from(count) {
            Ok(count) if count <= left / least => Ok(count),
            _ => Err(GgufError::Count { what, count, left }),
        }
    }

    /// A length-prefixed text.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, GgufError> {
        let bytes = self.text_bytes(what)?;
        let offset = self.position - bytes.len();
        std::str::from_utf8(bytes).map_err(|_| GgufError::NotUtf8 { what, offset })
    }

    /// The bytes of a length-prefixed text, not checked to be UTF-8.
    pub(crate) fn text_bytes(&mut self, what: &'static str) -> Result<&'a [u8], GgufError> {
        let length = self.u64(what)?;
        self.take(length, what)
    }
}
