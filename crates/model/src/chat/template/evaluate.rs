//! Expressions to values.

use std::cmp::Ordering;
use std::rc::Rc;
use std::time::SystemTime;

use super::ast::{Arguments, Behind, Call, Comparison, Expression, Sign};
use super::compare::{contains, equal, order};
use super::fault::{Result, fault};
use super::given::{self, Given};
use super::run::Run;
use super::value::{Function, Range, Value};
use super::write::Text;
use super::{filters, format, methods, operators, predicates};
use crate::chat::date;
use crate::printable::{printable, printable_message};

impl<'t> Run<'t> {
    pub(super) fn evaluate(&mut self, expression: &'t Expression) -> Result<Value> {
        let budget = self.budget;
        budget.steps(1)?;
        match expression {
            Expression::Constant(value) => return Ok(value.clone()),
            Expression::Name(name) => return self.variable(name),
            _ => {}
        }
        budget.descend()?;
        let value = self.compound(expression);
        budget.ascend();
        value
    }

    fn all(&mut self, expressions: &'t [Expression]) -> Result<Vec<Value>> {
        expressions.iter().map(|part| self.evaluate(part)).collect()
    }

    fn compound(&mut self, expression: &'t Expression) -> Result<Value> {
        let budget = self.budget;
        match expression {
            Expression::Constant(_) | Expression::Name(_) => self.evaluate(expression),
            Expression::List(items) => Value::list(budget, self.all(items)?),
            Expression::Tuple(items) => Value::tuple(budget, self.all(items)?),
            Expression::Map(pairs) => {
                let mut entries = Vec::new();
                for (key, value) in pairs {
                    entries.push((self.evaluate(key)?, self.evaluate(value)?));
                }
                Value::map(budget, entries)
            }
            Expression::Behind(value, behind) => {
                let value = self.evaluate(value)?;
                self.behind(value, behind, None)
            }
            Expression::Signs(signs, operand) => {
                let mut value = self.evaluate(operand)?;
                for sign in signs.iter().rev() {
                    budget.steps(1)?;
                    value = match sign {
                        Sign::Not => Value::Bool(!value.is_true()),
                        Sign::Minus => operators::signed(true, &value)?,
                        Sign::Plus => operators::signed(false, &value)?,
                    };
                }
                Ok(value)
            }
            Expression::Chain(first, others) => {
                let mut value = self.evaluate(first)?;
                for (operator, other) in others {
                    let other = self.evaluate(other)?;
                    value = match (&value, operator) {
                        (Value::Text(text), super::ast::Operator::Remainder) => {
                            format::percent(budget, text, &other)?
                        }
                        _ => operators::apply(budget, *operator, &value, &other)?,
                    };
                }
                Ok(value)
            }
            Expression::Join(parts) => {
                let mut text = Text::new(budget);
                for part in parts {
                    let part = self.evaluate(part)?;
                    text.value(&part)?;
                }
                Ok(text.finish())
            }
            Expression::Compare(first, others) => self.comparisons(first, others),
            Expression::And(parts) => self.until(parts, false),
            Expression::Or(parts) => self.until(parts, true),
            Expression::Conditional(value, conditions) => {
                for (condition, otherwise) in conditions.iter().rev() {
                    if self.evaluate(condition)?.is_true() {
                        continue;
                    }
                    return match otherwise {
                        Some(otherwise) => self.evaluate(otherwise),
                        None => Ok(Value::undefined("what has no else")),
                    };
                }
                self.evaluate(value)
            }
        }
    }

    /// The first part that is as true as `wanted`, or the last.
    fn until(&mut self, parts: &'t [Expression], wanted: bool) -> Result<Value> {
        let mut value = Value::None;
        for part in parts {
            value = self.evaluate(part)?;
            if value.is_true() == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn comparisons(
        &mut self,
        first: &'t Expression,
        others: &'t [(Comparison, Expression)],
    ) -> Result<Value> {
        let budget = self.budget;
        let mut left = self.evaluate(first)?;
        for (comparison, right) in others {
            let right = self.evaluate(right)?;
            let holds = match comparison {
                Comparison::Equal => equal(budget, &left, &right)?,
                Comparison::Unequal => !equal(budget, &left, &right)?,
                Comparison::In => contains(budget, &right, &left)?,
                Comparison::NotIn => !contains(budget, &right, &left)?,
                Comparison::Less => order(budget, &left, &right)? == Ordering::Less,
                Comparison::AtMost => order(budget, &left, &right)? != Ordering::Greater,
                Comparison::Greater => order(budget, &left, &right)? == Ordering::Greater,
                Comparison::AtLeast => order(budget, &left, &right)? != Ordering::Less,
            };
            if !holds {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// Applies what stands behind a value; the last call has `caller` among its arguments.
    pub(super) fn behind(
        &mut self,
        value: Value,
        behind: &'t [Behind],
        caller: Option<Value>,
    ) -> Result<Value> {
        let budget = self.budget;
        let mut value = value;
        let mut at = 0;
        while let Some(part) = behind.get(at) {
            budget.steps(1)?;
            at += 1;
            value = match part {
                Behind::Attribute(name) => match behind.get(at) {
                    Some(Behind::Call(arguments)) => {
                        at += 1;
                        let last = at == behind.len();
                        let given = self.given(arguments, caller.clone().filter(|_| last))?;
                        self.method(&value, name, given)?
                    }
                    _ => self.attribute(&value, name)?,
                },
                Behind::Item(item) => {
                    let key = self.evaluate(item)?;
                    self.item(&value, &key)?
                }
                Behind::Slice(parts) => {
                    let mut bounds = [None, None, None];
                    for (bound, part) in bounds.iter_mut().zip(parts.iter()) {
                        *bound = match part {
                            Some(part) => Some(self.evaluate(part)?),
                            None => None,
                        };
                    }
                    match value {
                        Value::Text(_) | Value::List(_) | Value::Range(_) => {
                            operators::slice(budget, &value, bounds)?
                        }
                        Value::Undefined(_) => self.item(&value, &Value::None)?,
                        _ => Value::undefined("a part of what has no parts"),
                    }
                }
                Behind::Call(arguments) => {
                    let last = at == behind.len();
                    let given = self.given(arguments, caller.clone().filter(|_| last))?;
                    self.call(&value, given)?
                }
                Behind::Filter(filter) => self.filtered(&value, filter)?,
                Behind::Test(holds, test) => {
                    let given = self.given(&test.arguments, None)?;
                    let result = predicates::apply(budget, &test.name, &value, &given.positional)?;
                    Value::Bool(result == *holds)
                }
            };
        }
        Ok(value)
    }

    pub(super) fn filtered(&mut self, value: &Value, filter: &'t Call) -> Result<Value> {
        let given = self.given(&filter.arguments, None)?;
        filters::apply(self.budget, &filter.name, value, given)
    }

    fn given(&mut self, arguments: &'t Arguments, caller: Option<Value>) -> Result<Given> {
        let mut given = Given {
            positional: self.all(&arguments.positional)?,
            named: Vec::new(),
        };
        for (name, value) in &arguments.named {
            given.named.push((name.clone(), self.evaluate(value)?));
        }
        if let Some(more) = &arguments.more {
            let items = self.evaluate(more)?.items(self.budget)?;
            self.budget
                .bytes(items.len().saturating_mul(size_of::<Value>()))?;
            given.positional.extend(items.iter());
        }
        if let Some(more) = &arguments.more_named {
            let Value::Map(map) = self.evaluate(more)? else {
                return fault("what follows ** is no mapping");
            };
            self.budget.bytes(map.entries.len().saturating_mul(48))?;
            for (key, value) in &map.entries {
                let Value::Text(key) = key else {
                    return fault("a mapping that follows ** has a key that is no text");
                };
                given.named.push((key.clone(), value.clone()));
            }
        }
        given
            .named
            .extend(caller.map(|caller| ("caller".into(), caller)));
        given.read(self.budget)?;
        Ok(given)
    }

    fn attribute(&mut self, value: &Value, name: &Rc<str>) -> Result<Value> {
        let found = match value {
            Value::Undefined(_) => {
                return fault(format!(
                    "{} has no {name}",
                    value.described().trim_end_matches(',')
                ));
            }
            Value::Namespace(at) => {
                let entries = self.namespaces[*at].iter();
                self.budget.steps(entries.len() as u64)?;
                let mut entries = entries.filter(|(known, _)| known == name);
                entries.next().map(|(_, value)| value.clone())
            }
            Value::Loop(number) => self.loop_attribute(*number, name)?,
            _ => value.attribute(self.budget, name)?,
        };
        Ok(found.unwrap_or_else(|| Value::Undefined(name.clone())))
    }

    fn item(&mut self, value: &Value, key: &Value) -> Result<Value> {
        match (value, key) {
            (Value::Undefined(_) | Value::Namespace(_) | Value::Loop(_), Value::Text(name)) => {
                self.attribute(value, name)
            }
            (Value::Undefined(_), _) => fault(format!(
                "{} has no items",
                value.described().trim_end_matches(',')
            )),
            _ => {
                let found = value.get(self.budget, key)?;
                Ok(found.unwrap_or_else(|| match key {
                    Value::Text(name) => Value::Undefined(name.clone()),
                    _ => Value::undefined("an item that is not there"),
                }))
            }
        }
    }

    fn method(&mut self, value: &Value, name: &Rc<str>, given: Given) -> Result<Value> {
        let budget = self.budget;
        match value {
            Value::Text(text) => methods::text(budget, name, text, given),
            Value::Map(_) if methods::OF_MAPS.contains(&&**name) => {
                methods::map(budget, name, value, given)
            }
            Value::List(_) => methods::list(budget, name, value, given),
            Value::Loop(number) if &**name == "cycle" => {
                let index = self.running(*number)?.index;
                let count = given.positional.len().max(1);
                let found = given.positional.into_iter().nth(index % count);
                found.map_or_else(|| fault("cycle needs arguments"), Ok)
            }
            Value::Loop(number) if &**name == "changed" => {
                let now = Value::list(budget, given.positional)?;
                let running = self.running(*number)?;
                let before = running.changed.replace(now.clone());
                Ok(Value::Bool(match before {
                    None => true,
                    Some(before) => !equal(budget, &before, &now)?,
                }))
            }
            _ => match self.attribute(value, name)? {
                Value::Undefined(_) => methods::unknown(name, value),
                found => self.call(&found, given),
            },
        }
    }

    fn call(&mut self, value: &Value, given: Given) -> Result<Value> {
        match value {
            Value::Macro(at) => self.expand(*at, given),
            Value::Loop(number) => {
                let items = given.one("loop", "items")?;
                self.recurse(*number, &items)
            }
            Value::Function(function) => self.function(*function, given),
            _ => fault(format!("{} cannot be called", value.described())),
        }
    }

    fn function(&mut self, function: Function, given: Given) -> Result<Value> {
        let budget = self.budget;
        match function {
            Function::Range => range(given),
            Function::Dict => {
                let named = given.named.into_iter();
                let mut entries = Vec::new();
                if let Some(first) = given.positional.first() {
                    entries = pairs(first, budget)?;
                }
                entries.extend(named.map(|(name, value)| (Value::Text(name), value)));
                Value::map(budget, entries)
            }
            Function::Namespace => {
                let mut entries = Vec::new();
                if let Some(Value::Map(map)) = given.positional.first() {
                    for (key, value) in &map.entries {
                        entries.push((given::text("namespace", key)?, value.clone()));
                    }
                }
                entries.extend(given.named);
                self.namespace(entries)
            }
            Function::RaiseException => {
                let message = given.one("raise_exception", "message")?;
                let mut text = Text::new(budget);
                text.value(&message)?;
                let message = printable_message(&text.into_string());
                fault(format!("it refuses these messages: {message}"))
            }
            Function::StrftimeNow => {
                let format = given.one("strftime_now", "format")?;
                let format = given::text("strftime_now", &format)?;
                // Of two signs at most nine letters are made.
                budget.bytes(format.len().saturating_mul(5))?;
                match date::format(SystemTime::now(), &format) {
                    Some(date) => Value::text(budget, &date),
                    None => fault(format!(
                        "the date format {} is not supported",
                        printable(&format!("{format:?}"))
                    )),
                }
            }
        }
    }
}

fn range(given: Given) -> Result<Value> {
    let [first, second, step] = given.bind("range", ["start", "stop", "step"])?;
    let (start, stop) = match second {
        Some(stop) => (first, Some(stop)),
        None => (None, first),
    };
    let Some(stop) = stop else {
        return fault("range needs an end");
    };
    let start = given::int("range", start.as_ref(), 0)?;
    let stop = given::int("range", Some(&stop), 0)?;
    let step = given::int("range", step.as_ref(), 1)?;
    if step == 0 {
        return fault("range goes in steps of 0");
    }
    let distance = if step > 0 {
        i128::from(stop) - i128::from(start)
    } else {
        i128::from(start) - i128::from(stop)
    };
    let size = i128::from(step.unsigned_abs());
    let length = usize::try_from((distance.max(0) + size - 1) / size).unwrap_or(usize::MAX);
    Ok(Value::Range(Range {
        start,
        step,
        length,
    }))
}

/// A mapping's pairs, or those of a list.
fn pairs(value: &Value, budget: &super::budget::Budget) -> Result<Vec<(Value, Value)>> {
    if let Value::Map(map) = value {
        budget.bytes(map.entries.len().saturating_mul(48))?;
        return Ok(map.entries.clone());
    }
    let mut pairs = Vec::new();
    for pair in value.items(budget)?.iter() {
        budget.bytes(48)?;
        let items = pair.items(budget)?;
        match (items.get(0), items.get(1), items.len()) {
            (Some(key), Some(value), 2) => pairs.push((key, value)),
            _ => return fault("dict takes pairs"),
        }
    }
    Ok(pairs)
}
