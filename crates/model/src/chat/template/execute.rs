//! Statements, loops and macros.

use std::mem;

use super::ast::{Block, Expression, For, Kind, Statement};
use super::fault::{Result, fault};
use super::given::Given;
use super::run::{Frame, Loop, Run};
use super::value::{Items, Value};
use super::write::Text;

/// What comes after a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> Run<'t> {
    pub(super) fn block(&mut self, block: &'t Block, out: &mut Text<'t>) -> Result<Flow> {
        let budget = self.budget;
        budget.descend()?;
        let mut flow = Ok(Flow::Next);
        for statement in block {
            self.line = statement.line;
            flow = self.statement(statement, out);
            if !matches!(flow, Ok(Flow::Next)) {
                break;
            }
        }
        budget.ascend();
        flow
    }

    /// A block with variables of its own.
    fn framed(&mut self, frame: Frame<'t>, block: &'t Block, out: &mut Text<'t>) -> Result<Flow> {
        self.frames.push(frame);
        let flow = self.block(block, out);
        self.frames.pop();
        flow
    }

    fn captured(&mut self, block: &'t Block) -> Result<Value> {
        let mut text = Text::new(self.budget);
        self.framed(Frame::new(), block, &mut text)?;
        Ok(text.finish())
    }

    fn statement(&mut self, statement: &'t Statement, out: &mut Text<'t>) -> Result<Flow> {
        self.budget.steps(1)?;
        match &statement.kind {
            Kind::Text(text) => out.push(text)?,
            Kind::Write(value) => {
                let value = self.evaluate(value)?;
                out.value(&value)?;
            }
            Kind::If(branches, otherwise) => {
                for (condition, block) in branches {
                    if self.evaluate(condition)?.is_true() {
                        return self.block(block, out);
                    }
                }
                return self.block(otherwise, out);
            }
            Kind::For(of) => {
                let items = self.evaluate(&of.items)?;
                self.go_over(of, &items, 0, out)?;
            }
            Kind::Set(target, value) => {
                let value = self.evaluate(value)?;
                self.bind(target, value)?;
            }
            Kind::SetBlock(target, filters, block) => {
                let mut value = self.captured(block)?;
                for filter in filters {
                    value = self.filtered(&value, filter)?;
                }
                self.bind(target, value)?;
            }
            Kind::With(bindings, block) => {
                let mut values = Vec::new();
                for (_, value) in bindings {
                    values.push(self.evaluate(value)?);
                }
                self.frames.push(Frame::new());
                let mut flow = Ok(Flow::Next);
                for ((target, _), value) in bindings.iter().zip(values) {
                    if let Err(error) = self.bind(target, value) {
                        flow = Err(error);
                        break;
                    }
                }
                let flow = flow.and_then(|_| self.block(block, out));
                self.frames.pop();
                return flow;
            }
            Kind::Macro(of) => {
                let defined = self.define(of)?;
                self.set(&of.name, defined)?;
            }
            Kind::Call(caller, call) => {
                let caller = self.define(caller)?;
                let Expression::Behind(value, behind) = call else {
                    return fault("a call block calls nothing");
                };
                let value = self.evaluate(value)?;
                let result = self.behind(value, behind, Some(caller))?;
                out.value(&result)?;
            }
            Kind::Filter(filters, block) => {
                let mut value = self.captured(block)?;
                for filter in filters {
                    value = self.filtered(&value, filter)?;
                }
                out.value(&value)?;
            }
            Kind::Scope(block) => return self.framed(Frame::new(), block, out),
            Kind::Break => return Ok(Flow::Break),
            Kind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// A loop over what a value holds.
    fn go_over(
        &mut self,
        of: &'t For,
        items: &Value,
        depth: usize,
        out: &mut Text<'t>,
    ) -> Result<()> {
        let mut items = items.items(self.budget)?;
        if let Some(condition) = &of.condition {
            let mut kept = Vec::new();
            for item in items.iter() {
                self.frames.push(Frame::new());
                let holds = match self.bind(&of.target, item.clone()) {
                    Ok(()) => self.evaluate(condition),
                    Err(error) => Err(error),
                };
                self.frames.pop();
                if holds?.is_true() {
                    kept.push(item);
                }
            }
            let Value::List(list) = Value::list(self.budget, kept)? else {
                unreachable!("a list was made");
            };
            items = Items::List(list);
        }
        let length = items.len();
        if length == 0 {
            self.framed(Frame::new(), &of.otherwise, out)?;
            return Ok(());
        }
        let number = self.loops_begun;
        self.loops_begun += 1;
        self.loops.push(Loop {
            number,
            of,
            items,
            index: 0,
            depth,
            changed: None,
        });
        let result = self.turns(of, number, length, out);
        self.loops.pop();
        result
    }

    fn turns(
        &mut self,
        of: &'t For,
        number: usize,
        length: usize,
        out: &mut Text<'t>,
    ) -> Result<()> {
        for index in 0..length {
            self.budget.steps(2)?;
            let running = self.running(number)?;
            running.index = index;
            let Some(item) = running.items.get(index) else {
                break;
            };
            self.frames
                .push(Frame::from([("loop", Value::Loop(number))]));
            let flow = match self.bind(&of.target, item) {
                Ok(()) => self.block(&of.body, out),
                Err(error) => Err(error),
            };
            self.frames.pop();
            if flow? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    /// `loop(items)` within a recursive loop.
    pub(super) fn recurse(&mut self, number: usize, items: &Value) -> Result<Value> {
        let running = self.running(number)?;
        let (of, depth) = (running.of, running.depth + 1);
        if !of.recursive {
            return fault("loop(…) is called in a loop that is not recursive");
        }
        let mut text = Text::new(self.budget);
        let budget = self.budget;
        budget.descend()?;
        let result = self.go_over(of, items, depth, &mut text);
        budget.ascend();
        result?;
        Ok(text.finish())
    }

    /// What a macro writes.
    pub(super) fn expand(&mut self, at: usize, given: Given) -> Result<Value> {
        let defined = self.macros[at].clone();
        let seen: usize = defined.around.iter().map(|frame| 1 + frame.len()).sum();
        self.budget.steps(1 + seen as u64)?;
        let around = defined.around.to_vec();
        let (frames, line) = (mem::replace(&mut self.frames, around), self.line);
        self.frames.push(Frame::new());
        let budget = self.budget;
        let mut text = Text::new(budget);
        let result = match self.parameters(defined.of, given) {
            Ok(()) => self.block(&defined.of.body, &mut text),
            Err(error) => Err(error),
        };
        self.frames = frames;
        result?;
        self.line = line;
        Ok(text.finish())
    }

    fn parameters(&mut self, of: &'t super::ast::Macro, given: Given) -> Result<()> {
        let name = &of.name;
        let (more, more_named) = of.takes_more;
        let mut positional = given.positional.into_iter();
        let mut named = given.named;
        self.budget
            .steps(((1 + of.parameters.len()) * (1 + named.len())) as u64)?;
        for (parameter, default) in &of.parameters {
            let by_name = named.iter().position(|(known, _)| known == parameter);
            let value = match (positional.next(), by_name) {
                (Some(value), None) => value,
                (None, Some(at)) => named.remove(at).1,
                (Some(_), Some(_)) => {
                    return fault(format!("{name} has its argument {parameter} twice"));
                }
                (None, None) => match default {
                    Some(default) => self.evaluate(default)?,
                    None => Value::Undefined(parameter.clone()),
                },
            };
            self.set(parameter, value)?;
        }
        if let Some(at) = named.iter().position(|(known, _)| &**known == "caller") {
            let caller = named.remove(at).1;
            self.set("caller", caller)?;
        }
        let positional: Vec<Value> = positional.collect();
        if !positional.is_empty() && !more {
            return fault(format!("{name} has more arguments than parameters"));
        }
        if let (Some((unknown, _)), false) = (named.first(), more_named) {
            let unknown = crate::printable::printable(unknown);
            return fault(format!("{name} has no argument {unknown}"));
        }
        if more {
            let positional = Value::tuple(self.budget, positional)?;
            self.set("varargs", positional)?;
        }
        if more_named {
            let named = named
                .into_iter()
                .map(|(name, value)| (Value::Text(name), value));
            let named = Value::map(self.budget, named.collect())?;
            self.set("kwargs", named)?;
        }
        Ok(())
    }
}
