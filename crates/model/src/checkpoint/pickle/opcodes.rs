//! The instructions of a pickle: what state dictionaries are written with, by their names in Python's pickletools.

use super::fault::Fault;

/// An instruction with what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode<'a> {
    /// PROTO, FRAME: say how the rest is written.
    Nothing,
    Stop,
    Mark,
    Pop,
    None,
    Bool,
    Int(i64),
    Float,
    Text(&'a str),
    EmptyTuple,
    /// Of the last one, two or three values.
    TupleOf(usize),
    /// Of the values behind the mark, as the next two.
    Tuple,
    List,
    Dict,
    EmptyList,
    EmptyDict,
    Append,
    Appends,
    SetItem,
    SetItems,
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// The module and the name are the last two values.
    StackGlobal,
    PersistentId,
    Reduce,
    Build,
    /// MEMOIZE.
    Memoize,
    Put(u32),
    Get(u32),
}

/// Reads one instruction after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let end = self.position.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        let taken = taken.ok_or_else(|| Fault::new("its pickle is cut short"))?;
        self.position += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let taken = self.take(N)?;
        Ok(taken.try_into().unwrap_or([0; N]))
    }

    fn text(&mut self, count: usize) -> Result<&'a str, Fault> {
        let bytes = self.take(count)?;
        std::str::from_utf8(bytes)
            .map_err(|_| Fault::new("its pickle has a text that is not UTF-8"))
    }

    fn line(&mut self) -> Result<&'a str, Fault> {
        let rest = &self.bytes[self.position..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let line = self.text(end.ok_or_else(|| Fault::new("its pickle is cut short"))?)?;
        self.position += 1;
        Ok(line)
    }

    /// A number of at most eight bytes, the lowest first.
    fn long(&mut self) -> Result<i64, Fault> {
        let [count] = self.array()?;
        let bytes = self.take(usize::from(count))?;
        if bytes.len() > 8 {
            return Err(Fault::new("its pickle has a number of more than 64 bits"));
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut all = [if negative { 0xff } else { 0 }; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        Ok(i64::from_le_bytes(all))
    }

    pub(super) fn next(&mut self) -> Result<Opcode<'a>, Fault> {
        let [code] = self.array()?;
        Ok(match code {
            0x80 => {
                self.take(1)?;
                Opcode::Nothing
            }
            0x95 => {
                self.take(8)?;
                Opcode::Nothing
            }
            b'.' => Opcode::Stop,
            b'(' => Opcode::Mark,
            b'0' => Opcode::Pop,
            b'N' => Opcode::None,
            0x88 | 0x89 => Opcode::Bool,
            b'K' => Opcode::Int(i64::from(self.array::<1>()?[0])),
            b'M' => Opcode::Int(i64::from(u16::from_le_bytes(self.array()?))),
            b'J' => Opcode::Int(i64::from(i32::from_le_bytes(self.array()?))),
            0x8a => Opcode::Int(self.long()?),
            b'G' => {
                self.take(8)?;
                Opcode::Float
            }
            b'X' | b'T' => {
                let count = u32::from_le_bytes(self.array()?);
                Opcode::Text(self.text(count as usize)?)
            }
            0x8c | b'U' => {
                let [count] = self.array()?;
                Opcode::Text(self.text(usize::from(count))?)
            }
            b')' => Opcode::EmptyTuple,
            0x85 => Opcode::TupleOf(1),
            0x86 => Opcode::TupleOf(2),
            0x87 => Opcode::TupleOf(3),
            b't' => Opcode::Tuple,
            b'l' => Opcode::List,
            b'd' => Opcode::Dict,
            b']' => Opcode::EmptyList,
            b'}' => Opcode::EmptyDict,
            b'a' => Opcode::Append,
            b'e' => Opcode::Appends,
            b's' => Opcode::SetItem,
            b'u' => Opcode::SetItems,
            b'c' => Opcode::Global {
                module: self.line()?,
                name: self.line()?,
            },
            0x93 => Opcode::StackGlobal,
            b'Q' => Opcode::PersistentId,
            b'R' => Opcode::Reduce,
            b'b' => Opcode::Build,
            0x94 => Opcode::Memoize,
            b'q' => Opcode::Put(u32::from(self.array::<1>()?[0])),
            b'r' => Opcode::Put(u32::from_le_bytes(self.array()?)),
            b'h' => Opcode::Get(u32::from(self.array::<1>()?[0])),
            b'j' => Opcode::Get(u32::from_le_bytes(self.array()?)),
            other => {
                return Err(Fault::new(format!(
                    "its pickle has the instruction {other:#04x}, which no state dictionary needs"
                )));
            }
        })
    }
}
