//! The interpreter: what a pickle builds, as far as state dictionaries need it.

use std::collections::{BTreeMap, HashMap};

use super::archive::Archive;
use super::fault::Fault;
use super::opcodes::{Opcode, Reader};
use super::tensor::{Entry, Storage, StorageType};
use crate::printable::printable;

/// How many values, objects and remembered values there may be: those of 100,000 tensors.
const MOST: usize = 1 << 20;

/// How many values tuples and dictionaries may hold together.
const MOST_HELD: usize = 4 * MOST;

/// Bytes of a tensor's name; those of models have less than a hundred.
const LONGEST_NAME: usize = 4096;

/// What stands on the stack. Whatever holds other values is an index, so that nothing refers to itself.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    None,
    Bool,
    Int(i64),
    Float,
    Text(&'a str),
    Global(Global),
    Object(usize),
    Storage(usize),
    Tensor(usize),
    Mark,
}

/// What a pickle may name: nothing of it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(StorageType),
}

impl Global {
    fn named(module: &str, name: &str) -> Result<Self, Fault> {
        let storage = |name| StorageType::named(name).map(Self::Storage);
        let known = match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", name) => storage(name),
            _ => None,
        };
        known.ok_or_else(|| {
            Fault::new(format!(
                "its pickle names {}.{}, which no state dictionary of tensors needs: nothing of it was run",
                printable(module),
                printable(name)
            ))
        })
    }
}

#[derive(Debug)]
enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    List,
    Dict(Vec<(Value<'a>, Value<'a>)>),
}

/// A tensor as the pickle describes it.
#[derive(Debug, Clone)]
struct Rebuilt {
    storage: usize,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// The interpreter.
pub(super) struct Machine<'a> {
    archive: &'a Archive<'a>,
    stack: Vec<Value<'a>>,
    objects: Vec<Object<'a>>,
    storages: Vec<Storage>,
    tensors: Vec<Rebuilt>,
    memo: HashMap<u32, Value<'a>>,
    /// How many values were put into tuples and dictionaries.
    held: usize,
}

fn malformed() -> Fault {
    Fault::new("its pickle is malformed")
}

impl<'a> Machine<'a> {
    /// The tensors by name of the state dictionary that `pickle` builds.
    pub(super) fn run(pickle: &'a [u8], archive: &'a Archive<'a>) -> Result<Vec<Entry>, Fault> {
        let mut machine = Self {
            archive,
            stack: Vec::new(),
            objects: Vec::new(),
            storages: Vec::new(),
            tensors: Vec::new(),
            memo: HashMap::new(),
            held: 0,
        };
        let mut reader = Reader::new(pickle);
        loop {
            match reader.next()? {
                Opcode::Stop => return machine.entries(),
                opcode => machine.step(opcode)?,
            }
            let sizes = [
                machine.stack.len(),
                machine.objects.len(),
                machine.memo.len(),
            ];
            if sizes.iter().any(|&size| size > MOST) || machine.held > MOST_HELD {
                return Err(Fault::new(format!(
                    "its pickle builds more than {MOST} objects"
                )));
            }
        }
    }

    fn step(&mut self, opcode: Opcode<'a>) -> Result<(), Fault> {
        match opcode {
            Opcode::Nothing | Opcode::Stop => {}
            Opcode::Mark => self.stack.push(Value::Mark),
            Opcode::Pop => {
                self.pop()?;
            }
            Opcode::None => self.stack.push(Value::None),
            Opcode::Bool => self.stack.push(Value::Bool),
            Opcode::Int(number) => self.stack.push(Value::Int(number)),
            Opcode::Float => self.stack.push(Value::Float),
            Opcode::Text(text) => self.stack.push(Value::Text(text)),
            Opcode::EmptyTuple => self.make(Object::Tuple(Vec::new())),
            Opcode::TupleOf(count) => {
                let start = self.stack.len().checked_sub(count).ok_or_else(malformed)?;
                let values = self.stack.split_off(start);
                self.make(Object::Tuple(values));
            }
            Opcode::Tuple => {
                let values = self.behind_mark()?;
                self.make(Object::Tuple(values));
            }
            Opcode::EmptyList => self.make(Object::List),
            Opcode::List => {
                self.behind_mark()?;
                self.make(Object::List);
            }
            Opcode::EmptyDict => self.make(Object::Dict(Vec::new())),
            Opcode::Dict => {
                let values = self.behind_mark()?;
                self.make(Object::Dict(Vec::new()));
                self.set_items(&values)?;
            }
            Opcode::Append => {
                self.pop()?;
                self.check_list()?;
            }
            Opcode::Appends => {
                self.behind_mark()?;
                self.check_list()?;
            }
            Opcode::SetItem => {
                let start = self.stack.len().checked_sub(2).ok_or_else(malformed)?;
                let values = self.stack.split_off(start);
                self.set_items(&values)?;
            }
            Opcode::SetItems => {
                let values = self.behind_mark()?;
                self.set_items(&values)?;
            }
            Opcode::Global { module, name } => {
                self.stack.push(Value::Global(Global::named(module, name)?));
            }
            Opcode::StackGlobal => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(name), Value::Text(module)) = (name, module) else {
                    return Err(malformed());
                };
                self.stack.push(Value::Global(Global::named(module, name)?));
            }
            Opcode::PersistentId => self.storage()?,
            Opcode::Reduce => self.reduce()?,
            Opcode::Build => self.build()?,
            Opcode::Memoize => {
                let index = u32::try_from(self.memo.len()).map_err(|_| malformed())?;
                self.remember(index)?;
            }
            Opcode::Put(index) => self.remember(index)?,
            Opcode::Get(index) => {
                let value = self.memo.get(&index).copied().ok_or_else(malformed)?;
                self.stack.push(value);
            }
        }
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>, Fault> {
        self.stack.pop().ok_or_else(malformed)
    }

    fn make(&mut self, object: Object<'a>) {
        if let Object::Tuple(values) = &object {
            self.held += values.len();
        }
        self.stack.push(Value::Object(self.objects.len()));
        self.objects.push(object);
    }

    /// What stands behind the last mark, which goes too.
    fn behind_mark(&mut self) -> Result<Vec<Value<'a>>, Fault> {
        let is_mark = |value: &Value| matches!(value, Value::Mark);
        let mark = self.stack.iter().rposition(is_mark).ok_or_else(malformed)?;
        let values = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(values)
    }

    fn remember(&mut self, index: u32) -> Result<(), Fault> {
        let value = self.stack.last().copied().ok_or_else(malformed)?;
        self.memo.insert(index, value);
        Ok(())
    }

    fn check_list(&self) -> Result<(), Fault> {
        match self.stack.last() {
            Some(&Value::Object(index)) if matches!(self.objects[index], Object::List) => Ok(()),
            _ => Err(malformed()),
        }
    }

    /// Adds keys and values to the dictionary on top of the stack.
    fn set_items(&mut self, values: &[Value<'a>]) -> Result<(), Fault> {
        let (pairs, rest) = values.as_chunks();
        self.held += values.len();
        match self.stack.last() {
            Some(&Value::Object(index)) if rest.is_empty() => match &mut self.objects[index] {
                Object::Dict(entries) => {
                    entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                    Ok(())
                }
                _ => Err(malformed()),
            },
            _ => Err(malformed()),
        }
    }

    fn tuple(&self, value: Value<'a>) -> Result<&[Value<'a>], Fault> {
        match value {
            Value::Object(index) => match &self.objects[index] {
                Object::Tuple(values) => Ok(values),
                _ => Err(malformed()),
            },
            _ => Err(malformed()),
        }
    }

    /// `('storage', TYPE, KEY, DEVICE, ENTRIES)`.
    fn storage(&mut self) -> Result<(), Fault> {
        let id = self.pop()?;
        let &[
            Value::Text("storage"),
            Value::Global(Global::Storage(dtype)),
            Value::Text(key),
            _,
            Value::Int(entries),
        ] = self.tuple(id)?
        else {
            return Err(Fault::new(
                "its pickle refers to something that is no storage",
            ));
        };
        let bytes = self.archive.storage(key).ok_or_else(|| {
            Fault::new(format!("it has no bytes of the storage {}", printable(key)))
        })?;
        let needed = usize::try_from(entries)
            .ok()
            .and_then(|n| n.checked_mul(dtype.size()));
        if needed.is_none_or(|needed| needed > bytes.len()) {
            return Err(Fault::new(format!(
                "its storage {} is of {entries} entries and has {} bytes",
                printable(key),
                bytes.len()
            )));
        }
        self.stack.push(Value::Storage(self.storages.len()));
        self.storages.push(Storage {
            dtype,
            entries: entries as usize,
            start: bytes.start,
        });
        if self.storages.len() > MOST {
            return Err(Fault::new(format!(
                "its pickle refers to more than {MOST} storages"
            )));
        }
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), Fault> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let Value::Global(global) = callable else {
            return Err(malformed());
        };
        let arguments = self.tuple(arguments)?;
        match (global, arguments) {
            (Global::OrderedDict, []) => {
                self.make(Object::Dict(Vec::new()));
                Ok(())
            }
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let rebuilt = self.rebuilt(storage, offset, (shape, strides))?;
                self.stack.push(Value::Tensor(self.tensors.len()));
                self.tensors.push(rebuilt);
                match self.tensors.len() > MOST {
                    true => Err(Fault::new(format!(
                        "its pickle builds more than {MOST} tensors"
                    ))),
                    false => Ok(()),
                }
            }
            (Global::RebuildParameter, &[tensor @ Value::Tensor(_), ..]) => {
                self.stack.push(tensor);
                Ok(())
            }
            _ => Err(malformed()),
        }
    }

    fn rebuilt(
        &self,
        storage: Value<'a>,
        offset: Value<'a>,
        (shape, strides): (Value<'a>, Value<'a>),
    ) -> Result<Rebuilt, Fault> {
        let number = |value: &Value| match value {
            Value::Int(number) => usize::try_from(*number).map_err(|_| malformed()),
            _ => Err(malformed()),
        };
        let numbers = |value| -> Result<Vec<usize>, Fault> {
            self.tuple(value)?.iter().map(number).collect()
        };
        let Value::Storage(storage) = storage else {
            return Err(malformed());
        };
        let (shape, strides) = (numbers(shape)?, numbers(strides)?);
        if shape.len() != strides.len() || shape.len() > 8 {
            return Err(malformed());
        }
        Ok(Rebuilt {
            storage,
            offset: number(&offset)?,
            shape,
            strides,
        })
    }

    /// Sets attributes, of which ordered dictionaries have some that are not needed.
    fn build(&mut self) -> Result<(), Fault> {
        self.pop()?;
        match self.stack.last() {
            Some(&Value::Object(index)) if matches!(self.objects[index], Object::Dict(_)) => Ok(()),
            _ => Err(Fault::new(
                "its pickle sets attributes of something that is no dictionary",
            )),
        }
    }

    /// The tensors of the dictionary that is left.
    fn entries(&self) -> Result<Vec<Entry>, Fault> {
        let dictionary = match self.stack[..] {
            [Value::Object(index)] => match &self.objects[index] {
                Object::Dict(entries) => Some(entries),
                _ => None,
            },
            _ => None,
        };
        let dictionary =
            dictionary.ok_or_else(|| Fault::new("its pickle is no dictionary of tensors"))?;
        // One text may be many keys: of these the last counts, as in Python, and none is copied for the others.
        let mut last: BTreeMap<&str, &Value<'a>> = BTreeMap::new();
        for (key, value) in dictionary {
            let Value::Text(name) = key else {
                return Err(Fault::new("a key of its dictionary is no text"));
            };
            if name.len() > LONGEST_NAME {
                return Err(Fault::new(format!(
                    "a key of its dictionary has {} bytes, and may have {LONGEST_NAME}",
                    name.len()
                )));
            }
            last.insert(*name, value);
        }
        let entry = |(name, value): (&str, &Value<'a>)| {
            let Value::Tensor(index) = value else {
                return Err(Fault::new(format!(
                    "its dictionary has {}, which is no tensor: save the state dictionary alone",
                    printable(name)
                )));
            };
            let tensor = &self.tensors[*index];
            Ok(Entry {
                name: name.to_owned(),
                storage: self.storages[tensor.storage],
                offset: tensor.offset,
                shape: tensor.shape.clone(),
                strides: tensor.strides.clone(),
            })
        };
        last.into_iter().map(entry).collect()
    }
}
