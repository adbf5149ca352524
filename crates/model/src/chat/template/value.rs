//! The values of templates: Python's, as far as templates see them.
//!
//! Lists and mappings are immutable and shared, so a list that holds another twice is small although walking over it
//! is long: each knows its weight, the steps that a walk over all it holds would take, and walks are paid by it.

use std::rc::Rc;

use super::budget::{Budget, text_weight};
use super::fault::{Result, fault};

/// The deepest that lists and mappings hold each other. Comparing, writing and dropping them go down by recursion.
const NESTING: u32 = 100;

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// What there is none of, and what it was called.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<List>),
    Map(Rc<Map>),
    Range(Range),
    /// Places in the run's tables: these change, or hold other values by reference, and would make circles.
    Namespace(usize),
    Macro(usize),
    Loop(usize),
    Function(Function),
}

/// A list, or a tuple.
#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Vec<Value>,
    pub(super) is_tuple: bool,
    weight: u64,
    depth: u32,
}

/// A mapping in the order of its making.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) entries: Vec<(Value, Value)>,
    weight: u64,
    depth: u32,
}

/// `range(…)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) start: i64,
    pub(super) step: i64,
    pub(super) length: usize,
}

/// A function of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Range,
    Dict,
    Namespace,
    RaiseException,
    StrftimeNow,
}

/// What a loop goes over.
#[derive(Debug, Clone)]
pub(super) enum Items {
    List(Rc<List>),
    Range(Range),
}

impl Items {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::List(list) => list.items.len(),
            Self::Range(range) => range.length,
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value> {
        match self {
            Self::List(list) => list.items.get(index).cloned(),
            Self::Range(range) => range.get(index).map(Value::Int),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl Range {
    pub(super) fn get(&self, index: usize) -> Option<i64> {
        let ahead = i64::try_from(index).ok()?.checked_mul(self.step)?;
        (index < self.length).then(|| self.start.checked_add(ahead))?
    }
}

impl Value {
    pub(super) fn undefined(name: &str) -> Self {
        Self::Undefined(name.into())
    }

    pub(super) fn text(budget: &Budget, text: &str) -> Result<Self> {
        budget.bytes(text.len())?;
        Ok(Self::Text(text.into()))
    }

    pub(super) fn list(budget: &Budget, items: Vec<Value>) -> Result<Self> {
        Self::sequence(budget, items, false)
    }

    pub(super) fn tuple(budget: &Budget, items: Vec<Value>) -> Result<Self> {
        Self::sequence(budget, items, true)
    }

    pub(super) fn sequence(budget: &Budget, items: Vec<Value>, is_tuple: bool) -> Result<Self> {
        budget.bytes(items.len().saturating_mul(size_of::<Value>()))?;
        let (weight, depth) = Self::measure(items.iter())?;
        Ok(Self::List(Rc::new(List {
            items,
            is_tuple,
            weight,
            depth,
        })))
    }

    /// A mapping; of equal keys, the last value stands at the first one's place.
    pub(super) fn map(budget: &Budget, pairs: Vec<(Value, Value)>) -> Result<Self> {
        budget.bytes(pairs.len().saturating_mul(2 * size_of::<Value>()))?;
        let mut entries: Vec<(Value, Value)> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            if !key.is_key() {
                return fault(format!("{} cannot be a key", key.kind()));
            }
            match find(budget, &entries, &key)? {
                Some(at) => entries[at].1 = value,
                None => entries.push((key, value)),
            }
        }
        let (weight, depth) = Self::measure(entries.iter().flat_map(|(key, value)| [key, value]))?;
        Ok(Self::Map(Rc::new(Map {
            entries,
            weight,
            depth,
        })))
    }

    fn measure<'a>(parts: impl Iterator<Item = &'a Value>) -> Result<(u64, u32)> {
        let (mut weight, mut depth) = (1_u64, 0);
        for part in parts {
            weight = weight.saturating_add(part.weight());
            depth = depth.max(part.depth());
        }
        if depth >= NESTING {
            return fault(format!("its lists nest more than {NESTING} deep"));
        }
        Ok((weight, depth + 1))
    }

    fn depth(&self) -> u32 {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            _ => 0,
        }
    }

    /// Steps of a walk over all that the value holds.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Text(text) => text_weight(text.len()),
            Self::List(list) => list.weight,
            Self::Map(map) => map.weight,
            _ => 1,
        }
    }

    /// Whether a mapping may have it as a key: Python's rule, but for tuples.
    fn is_key(&self) -> bool {
        matches!(
            self,
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_)
        )
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whole numbers, and truth values as Python counts them.
    pub(super) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    pub(super) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            _ => self.as_int().map(|number| number as f64),
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Range(range) => range.length > 0,
            Self::Namespace(_) | Self::Macro(_) | Self::Loop(_) | Self::Function(_) => true,
        }
    }

    /// What kind of value it is, in a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "undefined",
            Self::None => "none",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(list) if list.is_tuple => "a tuple",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Range(_) => "a range",
            Self::Namespace(_) => "a namespace",
            Self::Macro(_) | Self::Function(_) => "a function",
            Self::Loop(_) => "a loop",
        }
    }

    /// How many items or characters it has.
    pub(super) fn length(&self, budget: &Budget) -> Result<usize> {
        match self {
            Self::Undefined(_) => Ok(0),
            Self::Text(text) => {
                budget.walk(text.len())?;
                Ok(text.chars().count())
            }
            Self::List(list) => Ok(list.items.len()),
            Self::Map(map) => Ok(map.entries.len()),
            Self::Range(range) => Ok(range.length),
            _ => fault(format!("{} has no length", self.kind())),
        }
    }

    /// What a loop over it goes over: items, keys, or characters.
    pub(super) fn items(&self, budget: &Budget) -> Result<Items> {
        let items = match self {
            Self::List(list) => return Ok(Items::List(list.clone())),
            Self::Range(range) => return Ok(Items::Range(*range)),
            Self::Undefined(_) => Vec::new(),
            Self::Map(map) => {
                budget.steps(map.entries.len() as u64)?;
                map.entries.iter().map(|(key, _)| key.clone()).collect()
            }
            Self::Text(text) => {
                // Each character is a text of its own.
                budget.bytes(text.len().saturating_mul(size_of::<Value>()))?;
                let mut buffer = [0; 4];
                let one = |c: char| Self::Text(Rc::from(&*c.encode_utf8(&mut buffer)));
                text.chars().map(one).collect()
            }
            _ => return fault(format!("{} cannot be gone over", self.described())),
        };
        match Self::list(budget, items)? {
            Self::List(list) => Ok(Items::List(list)),
            _ => unreachable!("a list was made"),
        }
    }

    /// [`Value::kind`], with the name of what is undefined.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Undefined(name) if !name.is_empty() => {
                format!("{name}, which is undefined,")
            }
            _ => self.kind().to_owned(),
        }
    }

    /// What a mapping has for a key, or a list at a place; none where there is nothing.
    pub(super) fn get(&self, budget: &Budget, key: &Value) -> Result<Option<Value>> {
        match self {
            Self::Map(map) => {
                let at = find(budget, &map.entries, key)?;
                Ok(at.map(|at| map.entries[at].1.clone()))
            }
            Self::List(list) => Ok(place(key, list.items.len()).map(|at| list.items[at].clone())),
            Self::Range(range) => {
                let at = place(key, range.length);
                Ok(at.and_then(|at| range.get(at)).map(Self::Int))
            }
            Self::Text(text) => {
                budget.walk(text.len())?;
                let length = match key {
                    Self::Int(number) if *number < 0 => text.chars().count(),
                    _ => text.len(),
                };
                let found = place(key, length).and_then(|at| text.chars().nth(at));
                Ok(found.map(|c| Self::Text(c.to_string().into())))
            }
            _ => Ok(None),
        }
    }

    /// [`Value::get`] by name.
    pub(super) fn attribute(&self, budget: &Budget, name: &str) -> Result<Option<Value>> {
        match (self, name) {
            (Self::Map(map), _) => {
                budget.steps(text_weight(name.len()) * map.entries.len() as u64)?;
                let mut entries = map.entries.iter();
                let found = entries.find(|(key, _)| key.as_text() == Some(name));
                Ok(found.map(|(_, value)| value.clone()))
            }
            // The pairs that `groupby` gives.
            (Self::List(list), "grouper") if list.is_tuple => Ok(list.items.first().cloned()),
            (Self::List(list), "list") if list.is_tuple => Ok(list.items.get(1).cloned()),
            _ => Ok(None),
        }
    }
}

/// A place in a sequence, counted from the end where it is negative.
fn place(key: &Value, length: usize) -> Option<usize> {
    let index = key.as_int()?;
    let from_end = i64::try_from(length).ok()?.checked_add(index)?;
    let at = if index < 0 { from_end } else { index };
    usize::try_from(at).ok().filter(|&at| at < length)
}

fn find(budget: &Budget, entries: &[(Value, Value)], key: &Value) -> Result<Option<usize>> {
    budget.steps(key.weight().saturating_mul(1 + entries.len() as u64))?;
    let same = |other: &Value| match (other, key) {
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::None, Value::None) => true,
        _ => match (other.as_float(), key.as_float()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    };
    Ok(entries.iter().position(|(other, _)| same(other)))
}
