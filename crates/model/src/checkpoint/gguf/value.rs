//! Metadata values.

use std::ops::Range;

use super::GgufError;
use super::cursor::Cursor;

/// A value of a metadata key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Array(Array),
}

/// An array, left in the file: a vocabulary is read once and not kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) kind: Kind,
    pub(crate) len: usize,
    /// Where its entries stand in the file; their lengths have been checked.
    pub(crate) bytes: Range<usize>,
}

/// The format's value types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    fn from_number(number: u32) -> Option<Self> {
        const KINDS: [Kind; 13] = [
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bool,
            Kind::Text,
            Kind::Array,
            Kind::U64,
            Kind::I64,
            Kind::F64,
        ];
        KINDS.get(usize::try_from(number).ok()?).copied()
    }

    /// The fewest bytes that a value takes.
    fn least_size(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 | Kind::Text => 8,
            Kind::Array => 12,
        }
    }
}

impl Value {
    /// Reads a type number and a value of that type.
    pub(crate) fn read(cursor: &mut Cursor, key: &str) -> Result<Self, GgufError> {
        match read_kind(cursor, key)? {
            Kind::Array => Array::read(cursor, key).map(Value::Array),
            kind => Self::read_scalar(cursor, kind, key),
        }
    }

    fn read_scalar(cursor: &mut Cursor, kind: Kind, key: &str) -> Result<Self, GgufError> {
        const WHAT: &str = "a metadata value";
        Ok(match kind {
            Kind::U8 => Value::Unsigned(u8::from_le_bytes(cursor.array(WHAT)?).into()),
            Kind::I8 => Value::Signed(i8::from_le_bytes(cursor.array(WHAT)?).into()),
            Kind::U16 => Value::Unsigned(u16::from_le_bytes(cursor.array(WHAT)?).into()),
            Kind::I16 => Value::Signed(i16::from_le_bytes(cursor.array(WHAT)?).into()),
            Kind::U32 => Value::Unsigned(cursor.u32(WHAT)?.into()),
            Kind::I32 => Value::Signed(i32::from_le_bytes(cursor.array(WHAT)?).into()),
            Kind::U64 => Value::Unsigned(cursor.u64(WHAT)?),
            Kind::I64 => Value::Signed(i64::from_le_bytes(cursor.array(WHAT)?)),
            Kind::F32 => Value::Float(f32::from_le_bytes(cursor.array(WHAT)?).into()),
            Kind::F64 => Value::Float(f64::from_le_bytes(cursor.array(WHAT)?)),
            Kind::Bool => match cursor.array::<1>(WHAT)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [found] => {
                    return Err(GgufError::Bool {
                        key: key.to_owned(),
                        found,
                    });
                }
            },
            Kind::Text => Value::Text(cursor.text("a metadata text")?.to_owned()),
            Kind::Array => {
                return Err(GgufError::NestedArray {
                    key: key.to_owned(),
                });
            }
        })
    }

    /// Whether it is false, 0, or an empty text or array.
    pub(crate) fn is_false_or_empty(&self) -> bool {
        match self {
            Value::Unsigned(value) => *value == 0,
            Value::Signed(value) => *value == 0,
            Value::Float(value) => *value == 0.0,
            Value::Bool(value) => !value,
            Value::Text(text) => text.is_empty(),
            Value::Array(array) => array.len == 0,
        }
    }

    /// What it is, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Value::Unsigned(value) => value.to_string(),
            Value::Signed(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Text(text) => {
                let mut shown: String = text.chars().take(40).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                format!("{shown:?}")
            }
            Value::Array(array) => format!("an array of {} {:?} values", array.len, array.kind),
        }
    }
}

fn read_kind(cursor: &mut Cursor, key: &str) -> Result<Kind, GgufError> {
    let number = cursor.u32("a metadata value's type")?;
    Kind::from_number(number).ok_or_else(|| GgufError::ValueType {
        key: key.to_owned(),
        kind: number,
    })
}

impl Array {
    /// Steps over an array, checking that all of it is there.
    fn read(cursor: &mut Cursor, key: &str) -> Result<Self, GgufError> {
        let kind = read_kind(cursor, key)?;
        if kind == Kind::Array {
            return Err(GgufError::NestedArray {
                key: key.to_owned(),
            });
        }
        let len = cursor.count(kind.least_size(), "array entries")?;
        let start = cursor.position();
        if kind == Kind::Text {
            for _ in 0..len {
                cursor.text_bytes("an array's text")?;
            }
        } else {
            // `count` has made sure that this fits.
            cursor.take((len * kind.least_size()) as u64, "an array")?;
        }
        Ok(Self {
            kind,
            len,
            bytes: start..cursor.position(),
        })
    }

    /// The texts of an array of texts; None where it is none.
    pub(crate) fn texts<'a>(
        &self,
        file: &'a [u8],
    ) -> Option<impl Iterator<Item = Result<&'a str, GgufError>> + use<'a>> {
        let mut cursor = Cursor::new(&file[self.bytes.clone()]);
        (self.kind == Kind::Text)
            .then(|| (0..self.len).map(move |_| cursor.text("an array's text")))
    }

    /// The numbers of an array of 32-bit integers of either sign, or of floats; None otherwise.
    pub(crate) fn integers(&self, file: &[u8]) -> Option<Vec<i64>> {
        let words = self.words(file);
        match self.kind {
            Kind::U32 => Some(words.map(|w| u32::from_le_bytes(w).into()).collect()),
            Kind::I32 => Some(words.map(|w| i32::from_le_bytes(w).into()).collect()),
            _ => None,
        }
    }

    /// The bytes of an array of bytes, of either sign; None otherwise.
    pub(crate) fn octets<'a>(&self, file: &'a [u8]) -> Option<&'a [u8]> {
        matches!(self.kind, Kind::U8 | Kind::I8).then(|| &file[self.bytes.clone()])
    }

    /// The numbers of an array of f32; None where it is none.
    pub(crate) fn floats(&self, file: &[u8]) -> Option<Vec<f32>> {
        (self.kind == Kind::F32).then(|| self.words(file).map(f32::from_le_bytes).collect())
    }

    fn words<'a>(&self, file: &'a [u8]) -> impl Iterator<Item = [u8; 4]> + use<'a> {
        file[self.bytes.clone()]
            .chunks_exact(4)
            .map(|word| word.try_into().expect("chunks of four"))
    }
}
