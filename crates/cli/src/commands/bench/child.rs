//! One measurement in a process of its own.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use serde::de::DeserializeOwned;

use crate::interrupt::Interrupted;

/// What `lookback bench` with these arguments prints as JSON in a new process of this program; `what` is measured.
pub(super) fn measure<T: DeserializeOwned>(
    what: &str,
    arguments: &[impl AsRef<OsStr>],
) -> anyhow::Result<T> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let output = Command::new(program)
        .arg("bench")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot start a process to measure in")?;
    if output.status.code() == Some(i32::from(crate::interrupt::EXIT_CODE)) {
        return Err(Interrupted.into());
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("error: ");
        match said.is_empty() {
            true => bail!(
                "{what}: the process that measured it ended with {}; it may have run out of memory",
                output.status
            ),
            false => bail!("{what}: {said}"),
        }
    }
    serde_json::from_slice(&output.stdout).context("a measurement came back damaged")
}

/// A value as its argument is written.
pub(super) fn written(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or(String::new(), |value| value.get_name().to_owned())
}
