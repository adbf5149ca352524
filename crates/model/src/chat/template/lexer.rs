//! A template's text in tokens, with white space cut as Jinja2 cuts it with `trim_blocks` and `lstrip_blocks`.

use super::fault::{Result, fault};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Text that is written as it stands.
    Data(String),
    BlockStart,
    BlockEnd,
    WriteStart,
    WriteEnd,
    Name(String),
    Text(String),
    Int(i64),
    Float(f64),
    Sign(&'static str),
}

/// Signs, the longest first.
const SIGNS: [&str; 25] = [
    "//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{", "}",
    "<", ">", "=", ".", ":", "|", ",",
];

/// The most digits of a number.
const DIGITS: usize = 40;

/// The longest name, in bytes: one is looked up at every use.
const NAME: usize = 256;

/// The tokens of `source`, each with its line, from 1.
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, u32)>> {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    if source.ends_with('\n') {
        source.pop();
    }
    let mut lexer = Lexer {
        source: &source,
        at: 0,
        line: 1,
        line_begins: true,
        tokens: Vec::new(),
    };
    lexer.template()?;
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: u32,
    /// Whether what came before ended a line.
    line_begins: bool,
    tokens: Vec<(Token, u32)>,
}

/// How a tag ends: `%}`, and whether the end of its line goes with it.
struct End {
    close: &'static str,
    takes_newline: bool,
}

const BLOCK_END: End = End {
    close: "%}",
    takes_newline: true,
};
const WRITE_END: End = End {
    close: "}}",
    takes_newline: false,
};
const COMMENT_END: End = End {
    close: "#}",
    takes_newline: true,
};

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn advance(&mut self, bytes: usize) {
        let passed = &self.source[self.at..self.at + bytes];
        let newlines = passed.bytes().filter(|&byte| byte == b'\n').count();
        self.line = self
            .line
            .saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.at += bytes;
        if bytes > 0 {
            self.line_begins = passed.ends_with('\n');
        }
    }

    fn skip_white(&mut self) {
        let rest = self.rest();
        self.advance(rest.len() - rest.trim_start().len());
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    fn failed<T>(&self, detail: &str) -> Result<T> {
        fault(format!("{detail} (line {} of the template)", self.line))
    }

    fn template(&mut self) -> Result<()> {
        while self.at < self.source.len() {
            let rest = self.rest();
            let starts = rest.match_indices('{');
            let is_tag =
                |at: usize| matches!(rest.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#'));
            let Some(start) = starts.map(|(at, _)| at).find(|&at| is_tag(at)) else {
                self.data(rest, rest.len());
                return Ok(());
            };
            let kind = rest.as_bytes()[start + 1];
            let sign = rest.as_bytes().get(start + 2).copied();
            let text = self.cut_before(&rest[..start], sign, kind == b'{');
            self.data(text, start);
            let signed = usize::from(matches!(sign, Some(b'-' | b'+')));
            match kind {
                b'#' => self.comment()?,
                b'%' => {
                    if self.is_raw(2 + signed) {
                        self.raw(2 + signed)?;
                        continue;
                    }
                    self.push(Token::BlockStart);
                    self.advance(2 + signed);
                    self.inside(&BLOCK_END)?;
                    self.push(Token::BlockEnd);
                }
                _ => {
                    self.push(Token::WriteStart);
                    self.advance(2 + signed);
                    self.inside(&WRITE_END)?;
                    self.push(Token::WriteEnd);
                }
            }
        }
        Ok(())
    }

    /// What is kept of the text before a tag.
    fn cut_before<'t>(&self, text: &'t str, sign: Option<u8>, writes: bool) -> &'t str {
        match sign {
            Some(b'-') => text.trim_end(),
            Some(b'+') => text,
            _ if writes => text,
            _ => {
                let line = text.rfind('\n').map_or(0, |at| at + 1);
                let own_line = (line > 0 || self.line_begins) && text[line..].trim().is_empty();
                if own_line { &text[..line] } else { text }
            }
        }
    }

    /// Writes `text`, which is what is kept of the next `bytes`.
    fn data(&mut self, text: &str, bytes: usize) {
        if !text.is_empty() {
            self.push(Token::Data(text.to_owned()));
        }
        self.advance(bytes);
    }

    fn comment(&mut self) -> Result<()> {
        let Some(end) = self.rest()[2..].find(COMMENT_END.close) else {
            return self.failed("a comment has no end");
        };
        // The sign before the end belongs to it; `{#-}` has one that opens.
        let body = &self.rest()[2..2 + end];
        let signed = end > 1 || (end == 1 && !body.starts_with(['-', '+']));
        let sign = body.chars().next_back().filter(|_| signed);
        self.advance(2 + end);
        self.end(&COMMENT_END, sign);
        Ok(())
    }

    /// Goes over the end of a tag, and what is cut behind it.
    fn end(&mut self, end: &End, sign: Option<char>) {
        self.advance(end.close.len());
        match sign {
            Some('-') => self.skip_white(),
            Some('+') => {}
            _ if end.takes_newline && self.rest().starts_with('\n') => self.advance(1),
            _ => {}
        }
    }

    fn is_raw(&self, start: usize) -> bool {
        let after = self.rest()[start..].trim_start().strip_prefix("raw");
        let after = after.map(str::trim_start);
        after.is_some_and(|after| after.starts_with("%}") || after.starts_with("-%}"))
    }

    /// `{% raw %}` to `{% endraw %}`.
    fn raw(&mut self, start: usize) -> Result<()> {
        let close = self.rest().find("%}").expect("is_raw has seen it");
        let minus = self.rest()[start..close].ends_with('-');
        self.advance(close + 2);
        if minus {
            self.skip_white();
        }
        let rest = self.rest();
        for (at, _) in rest.match_indices("{%") {
            let tag = &rest[at + 2..];
            let sign = tag.bytes().next();
            let body = tag.strip_prefix(['-', '+']).unwrap_or(tag);
            let Some(after) = body.trim_start().strip_prefix("endraw") else {
                continue;
            };
            let after = after.trim_start();
            let end_sign = after.chars().next().filter(|&c| c == '-' || c == '+');
            let after = after.strip_prefix(['-', '+']).unwrap_or(after);
            if !after.starts_with("%}") {
                continue;
            }
            let text = self.cut_before(&rest[..at], sign, false);
            self.data(text, rest.len() - after.len());
            self.end(&BLOCK_END, end_sign);
            return Ok(());
        }
        self.failed("a raw block has no end")
    }

    /// The tokens of a tag up to its end.
    fn inside(&mut self, end: &End) -> Result<()> {
        let mut brackets = Vec::new();
        loop {
            self.skip_white();
            let rest = self.rest();
            if brackets.is_empty() {
                let sign = rest.chars().next().filter(|&c| c == '-' || c == '+');
                let plain = rest.starts_with(end.close);
                if plain || (sign.is_some() && rest[1..].starts_with(end.close)) {
                    let sign = sign.filter(|_| !plain);
                    self.advance(usize::from(sign.is_some()));
                    self.end(end, sign);
                    return Ok(());
                }
            }
            let Some(first) = rest.chars().next() else {
                return self.failed(&format!("a tag has no {}", end.close));
            };
            if first == '\'' || first == '"' {
                self.text(first)?;
            } else if first.is_ascii_digit() {
                self.number()?;
            } else if first.is_alphabetic() || first == '_' {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = &rest[..length.unwrap_or(rest.len())];
                if name.len() > NAME {
                    return self.failed(&format!("a name has more than {NAME} bytes"));
                }
                self.push(Token::Name(name.to_owned()));
                self.advance(name.len());
            } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                match sign {
                    "(" => brackets.push(")"),
                    "[" => brackets.push("]"),
                    "{" => brackets.push("}"),
                    ")" | "]" | "}" if brackets.pop() != Some(sign) => {
                        return self.failed(&format!("there is a {sign} too many"));
                    }
                    _ => {}
                }
                self.push(Token::Sign(sign));
                self.advance(sign.len());
            } else {
                let shown = first.escape_default();
                return self.failed(&format!("the character {shown} means nothing here"));
            }
        }
    }

    fn text(&mut self, quote: char) -> Result<()> {
        let body = &self.rest()[1..];
        let mut escaped = false;
        let end = body.find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else {
            return self.failed("a text has no end");
        };
        match unescaped(&body[..end]) {
            Some(text) => self.push(Token::Text(text)),
            None => return self.failed("a text has an escape that is none"),
        }
        self.advance(end + 2);
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        let rest = self.rest();
        let digits = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '_');
            end.unwrap_or(text.len())
        };
        let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let mut length = digits(rest);
        let mut is_float = false;
        if let Some(fraction) = rest[length..].strip_prefix('.')
            && starts_with_digit(fraction)
        {
            is_float = true;
            length += 1 + digits(fraction);
        }
        if let Some(exponent) = rest[length..].strip_prefix(['e', 'E']) {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if starts_with_digit(unsigned) {
                is_float = true;
                length += 1 + (exponent.len() - unsigned.len()) + digits(unsigned);
            }
        }
        if length > DIGITS {
            return self.failed("a number has too many digits");
        }
        let written = rest[..length].replace('_', "");
        let token = match is_float {
            true => written.parse().map(Token::Float).ok(),
            false => written.parse().map(Token::Int).ok(),
        };
        let Some(token) = token else {
            return self.failed(&format!("the number {written} is too large"));
        };
        self.push(token);
        self.advance(length);
        Ok(())
    }
}

/// A text with its escapes resolved as Python does.
fn unescaped(text: &str) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            result.push(c);
            continue;
        }
        let hexadecimal = |rest: &mut std::str::Chars<'_>, digits: usize| {
            let code = rest.as_str().get(..digits)?;
            let code = u32::from_str_radix(code, 16).ok()?;
            *rest = rest.as_str()[digits..].chars();
            char::from_u32(code)
        };
        let c = match rest.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            c @ ('\\' | '\'' | '"') => c,
            '\n' => continue,
            'x' => hexadecimal(&mut rest, 2)?,
            'u' => hexadecimal(&mut rest, 4)?,
            'U' => hexadecimal(&mut rest, 8)?,
            c @ '0'..='7' => {
                let mut code = c.to_digit(8)?;
                for _ in 0..2 {
                    let digit = rest.as_str().chars().next().and_then(|c| c.to_digit(8));
                    let Some(digit) = digit else { break };
                    code = 8 * code + digit;
                    rest.next();
                }
                char::from_u32(code)?
            }
            c => {
                result.push('\\');
                c
            }
        };
        result.push(c);
    }
    Some(result)
}
