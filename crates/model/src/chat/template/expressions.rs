//! Expressions, by Jinja2's grammar.

use std::rc::Rc;

use super::ast::{Arguments, Behind, Call, Comparison, Expression, Operator, Sign};
use super::cursor::Parser;
use super::fault::Result;
use super::lexer::Token;
use super::value::Value;

/// Words that an argument of a test without brackets does not begin with.
const NO_ARGUMENT: [&str; 9] = [
    "else",
    "or",
    "and",
    "if",
    "is",
    "in",
    "not",
    "recursive",
    "elif",
];

impl Parser {
    /// One expression, or several with commas, which are a tuple.
    pub(super) fn tuple(&mut self) -> Result<Expression> {
        self.several(Self::expression)
    }

    /// As [`Parser::tuple`], of expressions without `if`.
    pub(super) fn tuple_without_condition(&mut self) -> Result<Expression> {
        self.several(|parser| parser.nested(Self::or))
    }

    fn several(&mut self, one: impl Fn(&mut Self) -> Result<Expression>) -> Result<Expression> {
        let first = one(self)?;
        if !self.is_sign(",") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take_sign(",") {
            let ends = match self.peek() {
                None | Some(Token::BlockEnd | Token::WriteEnd) => true,
                Some(Token::Sign(sign)) => matches!(*sign, ")" | "]" | "}" | "=" | ":"),
                _ => false,
            };
            if ends {
                break;
            }
            parts.push(one(self)?);
        }
        Ok(Expression::Tuple(parts))
    }

    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.nested(Self::conditional)
    }

    fn conditional(&mut self) -> Result<Expression> {
        let value = self.or()?;
        let mut conditions = Vec::new();
        while self.take_word("if") {
            let condition = self.or()?;
            let otherwise = match self.take_word("else") {
                true => Some(self.expression()?),
                false => None,
            };
            conditions.push((condition, otherwise));
        }
        Ok(match conditions.is_empty() {
            true => value,
            false => Expression::Conditional(Box::new(value), conditions),
        })
    }

    fn or(&mut self) -> Result<Expression> {
        self.words("or", Self::and, Expression::Or)
    }

    fn and(&mut self) -> Result<Expression> {
        self.words("and", Self::not, Expression::And)
    }

    fn words(
        &mut self,
        word: &str,
        one: fn(&mut Self) -> Result<Expression>,
        several: fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression> {
        let first = one(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take_word(word) {
            parts.push(one(self)?);
        }
        Ok(several(parts))
    }

    fn not(&mut self) -> Result<Expression> {
        let mut signs = Vec::new();
        while self.take_word("not") {
            signs.push(Sign::Not);
        }
        let operand = self.compare()?;
        Ok(match signs.is_empty() {
            true => operand,
            false => Expression::Signs(signs, Box::new(operand)),
        })
    }

    fn compare(&mut self) -> Result<Expression> {
        let first = self.sum()?;
        let mut others = Vec::new();
        while let Some(comparison) = self.comparison() {
            others.push((comparison, self.sum()?));
        }
        Ok(match others.is_empty() {
            true => first,
            false => Expression::Compare(Box::new(first), others),
        })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let comparison = match self.peek()? {
            Token::Sign("==") => Comparison::Equal,
            Token::Sign("!=") => Comparison::Unequal,
            Token::Sign("<") => Comparison::Less,
            Token::Sign("<=") => Comparison::AtMost,
            Token::Sign(">") => Comparison::Greater,
            Token::Sign(">=") => Comparison::AtLeast,
            Token::Name(name) if name == "in" => Comparison::In,
            Token::Name(name) if name == "not" => match self.peek_second() {
                Some(Token::Name(name)) if name == "in" => {
                    self.skip();
                    Comparison::NotIn
                }
                _ => return None,
            },
            _ => return None,
        };
        self.skip();
        Some(comparison)
    }

    fn sum(&mut self) -> Result<Expression> {
        let signs = [("+", Operator::Add), ("-", Operator::Subtract)];
        self.chain(&signs, Self::join)
    }

    fn join(&mut self) -> Result<Expression> {
        let first = self.product()?;
        if !self.is_sign("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take_sign("~") {
            parts.push(self.product()?);
        }
        Ok(Expression::Join(parts))
    }

    fn product(&mut self) -> Result<Expression> {
        let signs = [
            ("*", Operator::Multiply),
            ("//", Operator::Floor),
            ("/", Operator::Divide),
            ("%", Operator::Remainder),
        ];
        self.chain(&signs, Self::power)
    }

    fn power(&mut self) -> Result<Expression> {
        self.chain(&[("**", Operator::Power)], Self::unary)
    }

    fn chain(
        &mut self,
        signs: &[(&str, Operator)],
        one: fn(&mut Self) -> Result<Expression>,
    ) -> Result<Expression> {
        let first = one(self)?;
        let mut others = Vec::new();
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| self.is_sign(sign)) {
            self.skip();
            others.push((*operator, one(self)?));
        }
        Ok(match others.is_empty() {
            true => first,
            false => Expression::Chain(Box::new(first), others),
        })
    }

    /// Signs, what they precede, and the filters and tests behind it, which see the signs.
    fn unary(&mut self) -> Result<Expression> {
        let mut signs = Vec::new();
        loop {
            if self.take_sign("-") {
                signs.push(Sign::Minus);
            } else if self.take_sign("+") {
                signs.push(Sign::Plus);
            } else {
                break;
            }
        }
        let mut value = self.primary()?;
        let mut behind = Vec::new();
        while let Some(part) = self.place()? {
            behind.push(part);
        }
        if !signs.is_empty() {
            value = Expression::Signs(signs, Box::new(within(value, behind)));
            behind = Vec::new();
        }
        self.filters_and_tests(&mut behind)?;
        Ok(within(value, behind))
    }

    /// Filters, tests and calls of what they give.
    fn filters_and_tests(&mut self, behind: &mut Vec<Behind>) -> Result<()> {
        loop {
            if self.take_sign("|") {
                behind.push(Behind::Filter(self.filter()?));
            } else if self.take_word("is") {
                let holds = !self.take_word("not");
                behind.push(Behind::Test(holds, self.test()?));
            } else if self.is_sign("(") {
                behind.push(Behind::Call(self.arguments()?));
            } else {
                return Ok(());
            }
        }
    }

    /// A filter's name and arguments.
    pub(super) fn filter(&mut self) -> Result<Call> {
        let name = self.name()?;
        let arguments = match self.is_sign("(") {
            true => self.arguments()?,
            false => Arguments::default(),
        };
        Ok(Call { name, arguments })
    }

    fn test(&mut self) -> Result<Call> {
        let name = self.name()?;
        let mut arguments = Arguments::default();
        let takes_one = match self.peek() {
            Some(Token::Sign("(")) => {
                let arguments = self.arguments()?;
                return Ok(Call { name, arguments });
            }
            Some(Token::Name(word)) => !NO_ARGUMENT.contains(&word.as_str()),
            Some(Token::Text(_) | Token::Int(_) | Token::Float(_)) => true,
            Some(Token::Sign(sign)) => matches!(*sign, "[" | "{"),
            _ => false,
        };
        if takes_one {
            let value = self.primary()?;
            let mut behind = Vec::new();
            while let Some(part) = self.place()? {
                behind.push(part);
            }
            arguments.positional.push(within(value, behind));
        }
        Ok(Call { name, arguments })
    }

    /// `.name`, `[item]`, `[from:to]` or a call, if one follows.
    fn place(&mut self) -> Result<Option<Behind>> {
        if self.take_sign(".") {
            if let Some(Token::Int(number)) = self.peek() {
                let number = Value::Int(*number);
                self.skip();
                return Ok(Some(Behind::Item(Expression::Constant(number))));
            }
            return Ok(Some(Behind::Attribute(self.name()?)));
        }
        if self.take_sign("[") {
            let item = self.nested(Self::subscript)?;
            self.expect_sign("]")?;
            return Ok(Some(item));
        }
        if self.is_sign("(") {
            return Ok(Some(Behind::Call(self.arguments()?)));
        }
        Ok(None)
    }

    fn subscript(&mut self) -> Result<Behind> {
        let ends = |parser: &Self| parser.is_sign(":") || parser.is_sign("]");
        if !self.is_sign(":") {
            let item = self.tuple()?;
            if !self.is_sign(":") {
                return Ok(Behind::Item(item));
            }
            return self.slice(Some(item), ends);
        }
        self.slice(None, ends)
    }

    fn slice(&mut self, start: Option<Expression>, ends: fn(&Self) -> bool) -> Result<Behind> {
        let mut parts = [start, None, None];
        for part in &mut parts[1..] {
            if !self.take_sign(":") {
                break;
            }
            if !ends(self) {
                *part = Some(self.expression()?);
            }
        }
        Ok(Behind::Slice(Box::new(parts)))
    }

    pub(super) fn arguments(&mut self) -> Result<Arguments> {
        self.expect_sign("(")?;
        let mut arguments = Arguments::default();
        while !self.take_sign(")") {
            self.argument(&mut arguments)?;
            if !self.take_sign(",") {
                self.expect_sign(")")?;
                break;
            }
        }
        Ok(arguments)
    }

    fn argument(&mut self, arguments: &mut Arguments) -> Result<()> {
        if self.take_sign("**") {
            arguments.more_named = Some(Box::new(self.expression()?));
        } else if self.take_sign("*") {
            arguments.more = Some(Box::new(self.expression()?));
        } else if let (Some(Token::Name(_)), Some(Token::Sign("="))) =
            (self.peek(), self.peek_second())
        {
            let name = self.name()?;
            self.skip();
            arguments.named.push((name, self.expression()?));
        } else {
            if !arguments.named.is_empty() {
                return self.unexpected("an argument with a name");
            }
            arguments.positional.push(self.expression()?);
        }
        Ok(())
    }

    fn primary(&mut self) -> Result<Expression> {
        match self.peek() {
            Some(Token::Sign("(")) => self.nested(Self::brackets),
            Some(Token::Sign("[")) => self.nested(Self::list),
            Some(Token::Sign("{")) => self.nested(Self::mapping),
            Some(Token::Text(_)) => self.texts(),
            Some(Token::Int(number)) => {
                let number = Value::Int(*number);
                self.skip();
                Ok(Expression::Constant(number))
            }
            Some(Token::Float(number)) => {
                let number = Value::Float(*number);
                self.skip();
                Ok(Expression::Constant(number))
            }
            Some(Token::Name(_)) => {
                let name = self.name()?;
                Ok(self.word(name))
            }
            _ => self.unexpected("a value"),
        }
    }

    fn word(&mut self, name: Rc<str>) -> Expression {
        let used = |macros: &mut Vec<(bool, bool)>, used: (bool, bool)| {
            if let Some(inner) = macros.last_mut() {
                *inner = (inner.0 || used.0, inner.1 || used.1);
            }
        };
        match &*name {
            "true" | "True" => Expression::Constant(Value::Bool(true)),
            "false" | "False" => Expression::Constant(Value::Bool(false)),
            "none" | "None" => Expression::Constant(Value::None),
            "varargs" => {
                used(&mut self.macros, (true, false));
                Expression::Name(name)
            }
            "kwargs" => {
                used(&mut self.macros, (false, true));
                Expression::Name(name)
            }
            _ => Expression::Name(name),
        }
    }

    /// Texts that follow each other are one.
    fn texts(&mut self) -> Result<Expression> {
        let mut joined = String::new();
        while let Some(Token::Text(text)) = self.peek() {
            joined.push_str(text);
            self.skip();
        }
        Ok(Expression::Constant(Value::Text(joined.into())))
    }

    fn brackets(&mut self) -> Result<Expression> {
        self.expect_sign("(")?;
        if self.take_sign(")") {
            return Ok(Expression::Tuple(Vec::new()));
        }
        let inner = self.tuple()?;
        self.expect_sign(")")?;
        Ok(inner)
    }

    fn list(&mut self) -> Result<Expression> {
        self.expect_sign("[")?;
        let mut items = Vec::new();
        while !self.take_sign("]") {
            items.push(self.expression()?);
            if !self.take_sign(",") {
                self.expect_sign("]")?;
                break;
            }
        }
        Ok(Expression::List(items))
    }

    fn mapping(&mut self) -> Result<Expression> {
        self.expect_sign("{")?;
        let mut pairs = Vec::new();
        while !self.take_sign("}") {
            let key = self.expression()?;
            self.expect_sign(":")?;
            pairs.push((key, self.expression()?));
            if !self.take_sign(",") {
                self.expect_sign("}")?;
                break;
            }
        }
        Ok(Expression::Map(pairs))
    }
}

fn within(value: Expression, behind: Vec<Behind>) -> Expression {
    match behind.is_empty() {
        true => value,
        false => Expression::Behind(Box::new(value), behind),
    }
}
