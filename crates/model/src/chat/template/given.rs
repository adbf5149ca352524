//! The arguments of a call.

use std::rc::Rc;

use super::budget::Budget;
use super::fault::{Result, fault};
use super::value::Value;

/// Values by place and by name.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(Rc<str>, Value)>,
}

/// A filter by what it is called with: its name, for those that share a function, the value before it, and the rest.
pub(super) type Filter = fn(&Budget, &str, &Value, Given) -> Result<Value>;

impl Given {
    /// Takes the steps of reading the texts among them, as most of what is called does.
    pub(super) fn read(&self, budget: &Budget) -> Result<()> {
        let values = self.positional.iter();
        let values = values.chain(self.named.iter().map(|(_, value)| value));
        let steps = values.filter(|value| value.as_text().is_some());
        let steps = steps.map(Value::weight).fold(1, u64::saturating_add);
        budget.steps(steps)
    }

    /// The arguments of `what` for its parameters, in their order; none for those that are left out.
    pub(super) fn bind<const N: usize>(
        self,
        what: &str,
        parameters: [&str; N],
    ) -> Result<[Option<Value>; N]> {
        let mut bound = [const { None }; N];
        if self.positional.len() > N {
            return fault(format!(
                "{what} takes at most {N} arguments and has {}",
                self.positional.len()
            ));
        }
        for (place, value) in bound.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        for (name, value) in self.named {
            let Some(at) = parameters.iter().position(|known| **known == *name) else {
                let name = crate::printable::printable(&name);
                return fault(format!("{what} has no argument {name}"));
            };
            bound[at] = Some(value);
        }
        Ok(bound)
    }

    /// [`Given::bind`] for what takes nothing.
    pub(super) fn none(self, what: &str) -> Result<()> {
        self.bind::<0>(what, []).map(|_| ())
    }

    /// [`Given::bind`] for what takes one argument and needs it.
    pub(super) fn one(self, what: &str, parameter: &str) -> Result<Value> {
        let [value] = self.bind(what, [parameter])?;
        value.map_or_else(|| fault(format!("{what} needs an argument")), Ok)
    }
}

/// A text among the arguments.
pub(super) fn text(what: &str, value: &Value) -> Result<Rc<str>> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        _ => fault(format!("{what} takes a text and has {}", value.described())),
    }
}

/// A whole number among the arguments, or what it is where it is left out.
pub(super) fn int(what: &str, value: Option<&Value>, default: i64) -> Result<i64> {
    match value {
        None | Some(Value::None) => Ok(default),
        Some(value) => match value.as_int() {
            Some(number) => Ok(number),
            None => fault(format!(
                "{what} takes a whole number and has {}",
                value.described()
            )),
        },
    }
}

/// A count of characters or items: negative ones are none.
pub(super) fn count(what: &str, value: Option<&Value>, default: i64) -> Result<usize> {
    Ok(usize::try_from(int(what, value, default)?.max(0)).unwrap_or(usize::MAX))
}

pub(super) fn flag(value: Option<&Value>, default: bool) -> bool {
    value.map_or(default, Value::is_true)
}

/// What `a.b.0` names in a value.
pub(super) fn path(budget: &Budget, value: &Value, path: &Value) -> Result<Value> {
    let Value::Text(names) = path else {
        let found = value.get(budget, path)?;
        return Ok(found.unwrap_or_else(|| Value::undefined("")));
    };
    let mut value = value.clone();
    for name in names.split('.') {
        budget.steps(1)?;
        let found = match name.parse() {
            Ok(number) => value.get(budget, &Value::Int(number))?,
            Err(_) => value.attribute(budget, name)?,
        };
        value = match (found, &value) {
            (Some(found), _) => found,
            (None, Value::Undefined(_)) => {
                return fault(format!("{name} of what is undefined is asked for"));
            }
            (None, _) => Value::undefined(name),
        };
    }
    Ok(value)
}
