//! Why a question has no answer, whatever it was asked over.

/// Why a question has no answer: one sentence, and what kind of failure it is.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Failure {
    /// The question is at fault.
    #[error("{0}")]
    Invalid(String),
    /// What was asked about is not here.
    #[error("{0}")]
    NotFound(String),
    /// The question is larger than what is taken.
    #[error("{0}")]
    TooLarge(String),
    /// The question comes from where it may not.
    #[error("{0}")]
    Forbidden(String),
    /// What is asked needs a model, and there is none.
    #[error(
        "this needs a model, and the server has only a trace: start it with --trace and --model together"
    )]
    NeedsModel,
    /// What is asked is what comes next, and the model does not say.
    #[error("this model points at words and predicts none, so there is nothing to continue")]
    NoPredictions,
    /// The text was not read to its end, since somebody said so.
    #[error("reading this text was stopped; send it again")]
    Cancelled,
    /// The text is not read yet.
    #[error("this text is still being read")]
    NotReady,
    /// Too much is waiting.
    #[error("too many {0}; ask again in a moment")]
    Busy(&'static str),
    /// The server is about to end.
    #[error("the server is stopping")]
    Stopping,
    /// Numbers of a trace are damaged.
    #[error("{0}")]
    Damaged(String),
    /// A question ended without an answer.
    #[error("the question could not be computed: this is a defect of lookback")]
    Defect,
}

impl Failure {
    /// The question is at fault.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The text has no such word.
    pub(crate) fn no_such_word(word: usize, words: usize) -> Self {
        Self::Invalid(format!(
            "there is no word {word}: the text has {words}, from 0"
        ))
    }
}

impl From<lookback_heads::Error> for Failure {
    fn from(error: lookback_heads::Error) -> Self {
        use lookback_heads::Error;
        match error {
            Error::Trace(error) => error.into(),
            error => Self::Invalid(error.to_string()),
        }
    }
}

impl From<lookback_trace::Error> for Failure {
    fn from(error: lookback_trace::Error) -> Self {
        use lookback_trace::Error;
        match error {
            Error::NotAWeight { .. } | Error::BadNumber { .. } => Self::Damaged(error.to_string()),
            error => Self::Invalid(error.to_string()),
        }
    }
}

impl From<lookback_view::Error> for Failure {
    fn from(error: lookback_view::Error) -> Self {
        use lookback_view::Error;
        match error {
            Error::Trace(error) => error.into(),
            Error::Heads(error) => error.into(),
            error => Self::Invalid(error.to_string()),
        }
    }
}

impl From<lookback_model::Error> for Failure {
    fn from(error: lookback_model::Error) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<lookback_model::tokenizer::Error> for Failure {
    fn from(error: lookback_model::tokenizer::Error) -> Self {
        Self::Invalid(error.to_string())
    }
}
