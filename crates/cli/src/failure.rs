//! Errors on their way out: one line on standard error, and an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use lookback_model::store;

use crate::interrupt::{self, Interrupted};
use crate::output::{one_line, shortened};

/// Prints `error` in one line and gives the exit code that belongs to it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    if is_interruption(error) {
        return ExitCode::from(interrupt::EXIT_CODE);
    }
    let style = anstyle::AnsiColor::Red.on_default().bold();
    let mut stderr = anstream::stderr().lock();
    // Where standard error itself is gone, the exit code is all that is left to say.
    let _ = writeln!(
        stderr,
        "{style}error:{style:#} {}",
        one_line(&shortened(&chain(error)))
    );
    ExitCode::FAILURE
}

/// The error and what caused it, without a cause that the message before it already names.
fn chain(error: &anyhow::Error) -> String {
    let mut message = match is_write(error) {
        true => format!("cannot write the answer: {error}"),
        false => error.to_string(),
    };
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !message.contains(&cause) {
            message.push_str(": ");
            message.push_str(&cause);
        }
    }
    message
}

/// Whether standard output cannot be written: everything else that is read or written says what it is.
fn is_write(error: &anyhow::Error) -> bool {
    // An error with a context is still of its cause's type.
    error.chain().count() == 1
        && (error.is::<io::Error>()
            || error
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|error| error.io_error_kind().is_some()))
}

/// Whether the reader of our output went away, which is its right.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|e| e.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    })
}

fn is_interruption(error: &anyhow::Error) -> bool {
    interrupt::requested()
        || error.chain().any(|cause| {
            cause.is::<Interrupted>()
                || matches!(
                    cause.downcast_ref::<store::Error>(),
                    Some(store::Error::Interrupted)
                )
        })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_named_once() {
        let error = anyhow!("disk full")
            .context("cannot save x: disk full")
            .context("saving");
        assert_eq!(chain(&error), "saving: cannot save x: disk full");
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let message = "cannot write the answer: no storage space";
        assert_eq!(chain(&anyhow::Error::from(full())), message);
        let json = serde_json::Error::io(full());
        assert_eq!(chain(&anyhow::Error::from(json)), message);
        let named = anyhow::Error::from(full()).context("x.svg cannot be written");
        assert_eq!(chain(&named), "x.svg cannot be written: no storage space");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_broken_pipe(&error.context("printing")));
        assert!(!is_broken_pipe(&anyhow!("broken pipe")));
    }
}
