//! Statements, by Jinja2's grammar with `break` and `continue`, and `transformers`' `generation`.

use std::rc::Rc;

use super::ast::{Behind, Block, Call, Expression, For, Kind, Macro, Statement, Target};
use super::cursor::Parser;
use super::fault::{Result, fault};
use super::lexer::{Token, tokens};

/// Parses a template.
pub(super) fn parse(source: &str) -> Result<Block> {
    let mut parser = Parser::new(tokens(source)?);
    let block = parser.block()?;
    match parser.peek() {
        None => Ok(block),
        Some(_) => {
            let word = parser.tag_word().unwrap_or_default();
            let word = crate::printable::printable(word);
            parser.failed(&format!("{word} ends nothing here"))
        }
    }
}

impl Parser {
    /// Statements up to a tag that ends or divides what is around them.
    fn block(&mut self) -> Result<Block> {
        self.nested(Self::statements)
    }

    fn statements(&mut self) -> Result<Block> {
        let mut block = Vec::new();
        loop {
            let line = self.line();
            let kind = match self.peek() {
                None => return Ok(block),
                Some(Token::Data(_)) => match self.take() {
                    Some(Token::Data(text)) => Kind::Text(text),
                    _ => unreachable!("it was looked at"),
                },
                Some(Token::WriteStart) => {
                    self.take();
                    let value = self.tuple()?;
                    match self.peek() {
                        Some(Token::WriteEnd) => self.take(),
                        _ => return self.unexpected("}}"),
                    };
                    Kind::Write(value)
                }
                Some(Token::BlockStart) => {
                    let word = self.tag_word().unwrap_or_default();
                    if word.starts_with("end") || word == "else" || word == "elif" {
                        return Ok(block);
                    }
                    self.take();
                    self.statement()?
                }
                Some(_) => return self.unexpected("text or a tag"),
            };
            block.push(Statement { line, kind });
        }
    }

    /// What stands behind `{%`.
    fn statement(&mut self) -> Result<Kind> {
        let line = self.line();
        let word = self.name()?;
        match &*word {
            "if" => self.condition(),
            "for" => self.for_loop(),
            "set" => self.set(),
            "with" => self.with(),
            "macro" => Ok(Kind::Macro(self.macro_named()?)),
            "call" => self.call_block(),
            "filter" => {
                let filters = self.filters()?;
                let body = self.body("endfilter")?;
                Ok(Kind::Filter(filters, body))
            }
            "block" => {
                self.name()?;
                let body = self.body("endblock")?;
                Ok(Kind::Scope(body))
            }
            // By which training marks the assistant's words.
            "generation" => Ok(Kind::Scope(self.body("endgeneration")?)),
            "break" | "continue" => {
                if self.loops == 0 {
                    return self.failed(&format!("{word} stands outside of loops"));
                }
                self.block_end()?;
                Ok(match &*word {
                    "break" => Kind::Break,
                    _ => Kind::Continue,
                })
            }
            "include" | "import" | "from" | "extends" => {
                self.failed(&format!("{word}: there are no other templates to be had"))
            }
            _ => {
                let word = crate::printable::printable(&word);
                fault(format!(
                    "the tag {word} is not known (line {line} of the template)"
                ))
            }
        }
    }

    /// `%}`, statements, and the tag `{% end %}`.
    fn body(&mut self, end: &str) -> Result<Block> {
        self.block_end()?;
        let body = self.block()?;
        self.end(end)?;
        Ok(body)
    }

    /// The tag that ends a block.
    fn end(&mut self, end: &str) -> Result<()> {
        if self.tag_word() != Some(end) {
            return self.unexpected(&format!("{{% {end} %}}"));
        }
        self.take();
        self.take();
        if end == "endblock" && !matches!(self.peek(), Some(Token::BlockEnd)) {
            self.name()?;
        }
        self.block_end()
    }

    fn condition(&mut self) -> Result<Kind> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let condition = self.tuple()?;
            self.block_end()?;
            branches.push((condition, self.block()?));
            match self.tag_word() {
                Some("elif") => {
                    self.take();
                    self.take();
                }
                Some("else") => {
                    self.take();
                    self.take();
                    self.block_end()?;
                    otherwise = self.block()?;
                    break;
                }
                _ => break,
            }
        }
        self.end("endif")?;
        Ok(Kind::If(branches, otherwise))
    }

    fn for_loop(&mut self) -> Result<Kind> {
        let target = self.target()?;
        if !self.take_word("in") {
            return self.unexpected("in");
        }
        let items = self.tuple_without_condition()?;
        let condition = match self.take_word("if") {
            true => Some(self.expression()?),
            false => None,
        };
        let recursive = self.take_word("recursive");
        self.block_end()?;
        self.loops += 1;
        let body = self.block();
        self.loops -= 1;
        let body = body?;
        let mut otherwise = Vec::new();
        if self.tag_word() == Some("else") {
            self.take();
            self.take();
            self.block_end()?;
            otherwise = self.block()?;
        }
        self.end("endfor")?;
        Ok(Kind::For(Box::new(For {
            target,
            items,
            condition,
            recursive,
            body,
            otherwise,
        })))
    }

    /// Names that a value is bound to, with commas where it is taken apart.
    fn target(&mut self) -> Result<Target> {
        let first = self.one_target()?;
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut targets = vec![first];
        while self.take_sign(",") {
            match self.peek() {
                Some(Token::Name(word)) if word != "in" => targets.push(self.one_target()?),
                Some(Token::Sign("(")) => targets.push(self.one_target()?),
                _ => break,
            }
        }
        Ok(Target::Several(targets))
    }

    fn one_target(&mut self) -> Result<Target> {
        if self.take_sign("(") {
            let target = self.nested(Self::target)?;
            self.expect_sign(")")?;
            return Ok(target);
        }
        let name = self.name()?;
        match self.take_sign(".") {
            true => Ok(Target::Attribute(name, self.name()?)),
            false => Ok(Target::Name(name)),
        }
    }

    fn set(&mut self) -> Result<Kind> {
        let target = self.target()?;
        if self.take_sign("=") {
            let value = self.tuple()?;
            self.block_end()?;
            return Ok(Kind::Set(target, value));
        }
        let filters = match self.take_sign("|") {
            true => self.filters()?,
            false => Vec::new(),
        };
        let body = self.body("endset")?;
        Ok(Kind::SetBlock(target, filters, body))
    }

    /// `name(…) | name(…)`.
    fn filters(&mut self) -> Result<Vec<Call>> {
        let mut filters = vec![self.filter()?];
        while self.take_sign("|") {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    fn with(&mut self) -> Result<Kind> {
        let mut bindings = Vec::new();
        while !matches!(self.peek(), Some(Token::BlockEnd)) {
            let target = self.one_target()?;
            self.expect_sign("=")?;
            bindings.push((target, self.expression()?));
            if !self.take_sign(",") {
                break;
            }
        }
        let body = self.body("endwith")?;
        Ok(Kind::With(bindings, body))
    }

    fn macro_named(&mut self) -> Result<Macro> {
        let name = self.name()?;
        let parameters = self.parameters()?;
        self.macro_body(name, parameters, "endmacro")
    }

    fn macro_body(
        &mut self,
        name: Rc<str>,
        parameters: Vec<(Rc<str>, Option<Expression>)>,
        end: &str,
    ) -> Result<Macro> {
        self.macros.push((false, false));
        let loops = std::mem::take(&mut self.loops);
        let body = self.body(end);
        self.loops = loops;
        let takes_more = self.macros.pop().unwrap_or_default();
        Ok(Macro {
            name,
            parameters,
            body: body?,
            takes_more,
        })
    }

    fn parameters(&mut self) -> Result<Vec<(Rc<str>, Option<Expression>)>> {
        self.expect_sign("(")?;
        let mut parameters = Vec::new();
        while !self.take_sign(")") {
            let name = self.name()?;
            let default = match self.take_sign("=") {
                true => Some(self.expression()?),
                false => None,
            };
            parameters.push((name, default));
            if !self.take_sign(",") {
                self.expect_sign(")")?;
                break;
            }
        }
        Ok(parameters)
    }

    fn call_block(&mut self) -> Result<Kind> {
        let parameters = match self.is_sign("(") {
            true => self.parameters()?,
            false => Vec::new(),
        };
        let call = self.expression()?;
        let is_call = match &call {
            Expression::Behind(_, behind) => {
                matches!(behind.last(), Some(Behind::Call(_)))
            }
            _ => false,
        };
        if !is_call {
            return self.unexpected("a call");
        }
        let caller = self.macro_body("caller".into(), parameters, "endcall")?;
        Ok(Kind::Call(caller, call))
    }
}
