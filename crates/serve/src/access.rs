//! Who has been let in: whoever shows the token that the server printed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// Bytes of a token.
const BYTES: usize = 16;

/// How long the code that a browser is started with may be used.
const CODE_LIVES: Duration = Duration::from_secs(60);

/// Who may ask: anybody that reaches the server, or whoever shows its token.
pub(crate) enum Access {
    Open,
    Token(Token),
}

/// The secret of one run of the server.
pub(crate) struct Token {
    token: String,
    /// Lets in once, and not for long: it stands in the arguments of a browser, which others can list.
    code: Mutex<Option<(String, Instant)>>,
}

impl Access {
    /// With a new token.
    pub(crate) fn by_token() -> std::io::Result<Self> {
        Ok(Self::Token(Token {
            token: secret()?,
            code: Mutex::default(),
        }))
    }

    pub(crate) fn token(&self) -> Option<&str> {
        match self {
            Self::Open => None,
            Self::Token(token) => Some(&token.token),
        }
    }

    /// A code that opens the page once, within a minute; none where no token is needed.
    pub(crate) fn code(&self) -> std::io::Result<Option<String>> {
        let Self::Token(token) = self else {
            return Ok(None);
        };
        let code = secret()?;
        *token.lock() = Some((code.clone(), Instant::now()));
        Ok(Some(code))
    }

    /// Whether this is the token.
    pub(crate) fn allows(&self, shown: &str) -> bool {
        self.token().is_none_or(|token| same(token, shown))
    }

    /// Whether this opens the page: the token, or a code that was not used.
    pub(crate) fn opens(&self, shown: &str) -> bool {
        self.allows(shown)
            || match self {
                Self::Open => true,
                Self::Token(token) => token.takes(shown, Instant::now()),
            }
    }
}

impl Token {
    fn takes(&self, shown: &str, now: Instant) -> bool {
        let mut code = self.lock();
        let taken = code.take_if(|(code, _)| same(code, shown));
        taken.is_some_and(|(_, made)| now.duration_since(made) <= CODE_LIVES)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(String, Instant)>> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new secret in hexadecimal.
fn secret() -> std::io::Result<String> {
    let mut bytes = [0; BYTES];
    let failed = |error: getrandom::Error| std::io::Error::other(error.to_string());
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether two secrets are the same; how long that takes says nothing about where they differ.
fn same(secret: &str, shown: &str) -> bool {
    Sha256::digest(secret) == Sha256::digest(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_another_each_time() {
        let [one, two] = [(), ()].map(|()| Access::by_token().unwrap());
        let (one_token, two_token) = (one.token().unwrap(), two.token().unwrap());
        assert_eq!(one_token.len(), 2 * BYTES);
        assert!(one.allows(one_token) && !one.allows(two_token) && !one.allows(""));
        assert!(Access::Open.allows("") && Access::Open.code().unwrap().is_none());
    }

    #[test]
    fn a_code_opens_once_within_a_minute() {
        let access = Access::by_token().unwrap();
        let code = access.code().unwrap().unwrap();
        assert!(!access.allows(&code) && !access.opens("another"));
        assert!(access.opens(&code) && !access.opens(&code));
        let code = access.code().unwrap().unwrap();
        let Access::Token(token) = &access else {
            unreachable!("it was made with one")
        };
        let late = Instant::now() + CODE_LIVES + Duration::from_secs(1);
        assert!(!token.takes(&code, late) && !access.opens(&code));
        assert!(access.opens(access.token().unwrap()));
    }
}
