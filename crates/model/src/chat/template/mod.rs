//! Jinja templates that cannot run away.
//!
//! A chat template comes with a model and may be hostile. What it may spend is counted where it is spent, in
//! [`budget`]: every part of an expression, every value visited and every byte made is paid for *before* the work is
//! done, so that a step is never longer or larger than what was paid. That needs values that know their size, the
//! weight of what they hold shared values included ([`value`]); a general engine that counts instructions cannot say
//! what `a == b` will cost where `a` holds the same list twice, forty levels deep. So this is an engine of its own, small
//! and without anything that a chat template has no use for. A process with limits would do too, but not in a library
//! that others embed, and not on every system.
//!
//! The language is Jinja2's as `transformers` sets it up: `trim_blocks`, `lstrip_blocks`, loop controls, the
//! block `generation`, lists and mappings that do not change, `tojson` as `json.dumps`, and values that write
//! themselves as Python's do. There are no other templates to include, nothing is escaped for HTML, and whole numbers
//! have 64 bits.

mod ast;
mod budget;
mod compare;
mod cursor;
mod evaluate;
mod execute;
mod expressions;
mod fault;
mod filters;
mod format;
mod given;
mod json;
mod lexer;
mod methods;
mod operators;
mod predicates;
mod run;
mod statements;
mod value;
mod write;

use budget::Budget;
pub(super) use fault::Fault;
use run::Run;
use value::Value;
use write::Text;

/// What a template is given: texts, and lists of mappings of texts.
pub(super) enum Variable<'v> {
    None,
    Bool(bool),
    Text(&'v str),
    Records(Vec<Vec<(&'static str, &'v str)>>),
}

/// Renders a template with its variables, into at most `most` bytes. The output may hold all of the variables' texts.
pub(super) fn render(
    source: &str,
    variables: &[(&'static str, Variable<'_>)],
    most: usize,
) -> Result<String, Fault> {
    let budget = Budget::new(variables.iter().map(|(_, variable)| variable.size()).sum());
    let template = statements::parse(source)?;
    let mut values = Vec::new();
    for (name, variable) in variables {
        values.push((*name, variable.value(&budget)?));
    }
    let mut run = Run::new(&budget, values);
    let mut text = Text::with_limit(&budget, most);
    match run.block(&template, &mut text) {
        Ok(_) => Ok(text.into_string()),
        Err(fault) => Err(Fault(format!(
            "{fault} (line {} of the template)",
            run.line
        ))),
    }
}

impl Variable<'_> {
    /// Bytes of its texts.
    fn size(&self) -> usize {
        match self {
            Self::None | Self::Bool(_) => 0,
            Self::Text(text) => text.len(),
            Self::Records(records) => records
                .iter()
                .flatten()
                .map(|(name, text)| name.len() + text.len() + 2 * size_of::<Value>())
                .sum(),
        }
    }

    fn value(&self, budget: &Budget) -> Result<Value, Fault> {
        match self {
            Self::None => Ok(Value::None),
            Self::Bool(value) => Ok(Value::Bool(*value)),
            Self::Text(text) => Value::text(budget, text),
            Self::Records(records) => {
                let record = |record: &Vec<(&str, &str)>| {
                    let entry = |(name, text): &(&str, &str)| {
                        Ok((Value::text(budget, name)?, Value::text(budget, text)?))
                    };
                    let entries = record.iter().map(entry).collect::<Result<_, Fault>>()?;
                    Value::map(budget, entries)
                };
                let records = records.iter().map(record).collect::<Result<_, Fault>>()?;
                Value::list(budget, records)
            }
        }
    }
}
