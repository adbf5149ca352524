//! What a template's run keeps: variables, and the values that change or refer to others.

use std::collections::HashMap;
use std::rc::Rc;

use super::ast::{For, Macro, Target};
use super::budget::Budget;
use super::fault::{Result, fault};
use super::value::{Function, Items, Value};

/// The variables of one block.
pub(super) type Frame<'t> = HashMap<&'t str, Value>;

/// A run of a template that lives for `'t`.
pub(super) struct Run<'t> {
    pub(super) budget: &'t Budget,
    globals: Frame<'t>,
    /// Of the blocks around the place that runs, the innermost last.
    pub(super) frames: Vec<Frame<'t>>,
    /// Namespaces, macros and loops are named by their place here: they cannot hold themselves, and all are dropped
    /// with the run.
    pub(super) namespaces: Vec<Vec<(Rc<str>, Value)>>,
    pub(super) macros: Vec<Defined<'t>>,
    pub(super) loops: Vec<Loop<'t>>,
    pub(super) loops_begun: usize,
    /// The line that runs.
    pub(super) line: u32,
}

/// A macro with the variables around its definition.
#[derive(Clone)]
pub(super) struct Defined<'t> {
    pub(super) of: &'t Macro,
    pub(super) around: Rc<Vec<Frame<'t>>>,
}

/// A loop that runs.
pub(super) struct Loop<'t> {
    /// Its number in the run.
    pub(super) number: usize,
    pub(super) of: &'t For,
    pub(super) items: Items,
    pub(super) index: usize,
    /// How many loops of the same block it recurses in.
    pub(super) depth: usize,
    pub(super) changed: Option<Value>,
}

/// What one more variable, namespace or macro takes.
const ENTRY: usize = 96;

impl<'t> Run<'t> {
    pub(super) fn new(budget: &'t Budget, variables: Vec<(&'t str, Value)>) -> Self {
        let functions = [
            ("range", Function::Range),
            ("dict", Function::Dict),
            ("namespace", Function::Namespace),
            ("raise_exception", Function::RaiseException),
            ("strftime_now", Function::StrftimeNow),
        ];
        let functions = functions.map(|(name, function)| (name, Value::Function(function)));
        Self {
            budget,
            globals: functions.into_iter().chain(variables).collect(),
            frames: Vec::new(),
            namespaces: Vec::new(),
            macros: Vec::new(),
            loops: Vec::new(),
            loops_begun: 0,
            line: 1,
        }
    }

    pub(super) fn variable(&self, name: &Rc<str>) -> Result<Value> {
        self.budget.steps(self.frames.len() as u64 / 8)?;
        let frames = self.frames.iter().rev().chain([&self.globals]);
        let found = frames.into_iter().find_map(|frame| frame.get(&**name));
        Ok(found
            .cloned()
            .unwrap_or_else(|| Value::Undefined(name.clone())))
    }

    pub(super) fn set(&mut self, name: &'t str, value: Value) -> Result<()> {
        let budget = self.budget;
        let frame = self.frames.last_mut().unwrap_or(&mut self.globals);
        if frame.insert(name, value).is_none() {
            budget.bytes(ENTRY)?;
        }
        Ok(())
    }

    /// Binds what a target names.
    pub(super) fn bind(&mut self, target: &'t Target, value: Value) -> Result<()> {
        match target {
            Target::Name(name) => self.set(name, value),
            Target::Attribute(namespace, name) => match self.variable(namespace)? {
                Value::Namespace(at) => self.set_in(at, name, value),
                other => fault(format!(
                    "{namespace}.{name} cannot be set: {namespace} is {}, and only namespaces change",
                    other.kind()
                )),
            },
            Target::Several(targets) => {
                let items = value.items(self.budget)?;
                if items.len() != targets.len() {
                    return fault(format!(
                        "{} of {} items cannot be taken apart into {} names",
                        value.kind(),
                        items.len(),
                        targets.len()
                    ));
                }
                for (target, item) in targets.iter().zip(items.iter()) {
                    self.bind(target, item)?;
                }
                Ok(())
            }
        }
    }

    fn set_in(&mut self, at: usize, name: &Rc<str>, value: Value) -> Result<()> {
        let budget = self.budget;
        let entries = &mut self.namespaces[at];
        budget.steps(1 + entries.len() as u64)?;
        match entries.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => {
                budget.bytes(ENTRY)?;
                entries.push((name.clone(), value));
            }
        }
        Ok(())
    }

    pub(super) fn namespace(&mut self, entries: Vec<(Rc<str>, Value)>) -> Result<Value> {
        self.budget.bytes(ENTRY.saturating_mul(1 + entries.len()))?;
        self.namespaces.push(entries);
        Ok(Value::Namespace(self.namespaces.len() - 1))
    }

    /// A macro's value, with the variables that it sees here.
    pub(super) fn define(&mut self, of: &'t Macro) -> Result<Value> {
        let seen: usize = self.frames.iter().map(|frame| 1 + frame.len()).sum();
        self.budget.bytes(ENTRY.saturating_mul(1 + seen))?;
        let around = Rc::new(self.frames.clone());
        self.macros.push(Defined { of, around });
        Ok(Value::Macro(self.macros.len() - 1))
    }

    /// The loop of a number, while it runs.
    pub(super) fn running(&mut self, number: usize) -> Result<&mut Loop<'t>> {
        self.budget.steps(1)?;
        let place = self
            .loops
            .binary_search_by_key(&number, |running| running.number);
        match place {
            Ok(at) => Ok(&mut self.loops[at]),
            Err(_) => fault("a loop is asked for that has ended"),
        }
    }

    pub(super) fn loop_attribute(&mut self, number: usize, name: &str) -> Result<Option<Value>> {
        let running = self.running(number)?;
        let (index, length) = (running.index, running.items.len());
        let int = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        Ok(Some(match name {
            "index" => int(index + 1),
            "index0" => int(index),
            "revindex" => int(length - index),
            "revindex0" => int(length - index - 1),
            "first" => Value::Bool(index == 0),
            "last" => Value::Bool(index + 1 == length),
            "length" => int(length),
            "depth" => int(running.depth + 1),
            "depth0" => int(running.depth),
            "previtem" => match index.checked_sub(1).and_then(|at| running.items.get(at)) {
                Some(item) => item,
                None => return Ok(None),
            },
            "nextitem" => match running.items.get(index + 1) {
                Some(item) => item,
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }
}
