//! A place in a template's tokens.

use std::rc::Rc;

use super::fault::{Result, fault};
use super::lexer::Token;

/// The deepest that brackets and blocks nest.
const NESTING: u32 = 150;

pub(super) struct Parser {
    tokens: Vec<(Token, u32)>,
    at: usize,
    nesting: u32,
    /// For each macro around this place, whether it names `varargs` and `kwargs`.
    pub(super) macros: Vec<(bool, bool)>,
    /// How many loops of the innermost macro are around this place.
    pub(super) loops: usize,
}

impl Parser {
    pub(super) fn new(tokens: Vec<(Token, u32)>) -> Self {
        Self {
            tokens,
            at: 0,
            nesting: 0,
            macros: Vec::new(),
            loops: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    pub(super) fn peek_second(&self) -> Option<&Token> {
        self.tokens.get(self.at + 1).map(|(token, _)| token)
    }

    /// Goes past the next token, which was looked at.
    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    pub(super) fn line(&self) -> u32 {
        let at = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).map_or(1, |(_, line)| *line)
    }

    /// The next token, which is then past.
    pub(super) fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get_mut(self.at)?;
        self.at += 1;
        // Looked at once only.
        Some(std::mem::replace(&mut token.0, Token::Sign("")))
    }

    pub(super) fn failed<T>(&self, detail: &str) -> Result<T> {
        fault(format!("{detail} (line {} of the template)", self.line()))
    }

    /// Fails because of the next token.
    pub(super) fn unexpected<T>(&self, expected: &str) -> Result<T> {
        let found = match self.peek() {
            None => "its end".to_owned(),
            Some(Token::Data(_)) => "text".to_owned(),
            Some(Token::BlockStart) => "{%".to_owned(),
            Some(Token::BlockEnd) => "%}".to_owned(),
            Some(Token::WriteStart) => "{{".to_owned(),
            Some(Token::WriteEnd) => "}}".to_owned(),
            Some(Token::Name(name)) => crate::printable::printable(name),
            Some(Token::Text(_)) => "a text".to_owned(),
            Some(Token::Int(_) | Token::Float(_)) => "a number".to_owned(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
        };
        self.failed(&format!("it has {found} where {expected} is expected"))
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == word)
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<()> {
        match self.take_sign(sign) {
            true => Ok(()),
            false => self.unexpected(sign),
        }
    }

    pub(super) fn name(&mut self) -> Result<Rc<str>> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.as_str().into();
                self.at += 1;
                Ok(name)
            }
            _ => self.unexpected("a name"),
        }
    }

    /// Parses what stands one level deeper.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting >= NESTING {
            return self.failed(&format!("it nests more than {NESTING} deep"));
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    /// The end of a block's tag.
    pub(super) fn block_end(&mut self) -> Result<()> {
        match self.peek() {
            Some(Token::BlockEnd) => {
                self.at += 1;
                Ok(())
            }
            _ => self.unexpected("%}"),
        }
    }

    /// The word that opens the tag which comes next, if a tag comes next.
    pub(super) fn tag_word(&self) -> Option<&str> {
        match (self.peek(), self.peek_second()) {
            (Some(Token::BlockStart), Some(Token::Name(word))) => Some(word),
            _ => None,
        }
    }
}
