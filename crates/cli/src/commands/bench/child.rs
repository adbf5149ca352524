//! One measurement in a process of its own.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::measure::{Measured, Task};
use super::written;
use crate::interrupt::Interrupted;

/// Measures `task` on the model at `path` in a new process of this program.
pub(super) fn measure(path: &str, task: &Task) -> anyhow::Result<Measured> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let output = Command::new(program)
        .args(["bench", "model", "--json", "--model", path])
        .args(["--measure", &written(task.kind)])
        .args(["--length", &task.length.to_string()])
        .args(["--weights", &written(task.weights)])
        .args(["--runs", &task.runs.to_string()])
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
                "{}: the process that measured it ended with {}; it may have run out of memory",
                task.describe(),
                output.status
            ),
            false => bail!("{}: {said}", task.describe()),
        }
    }
    serde_json::from_slice(&output.stdout).context("a measurement came back damaged")
}
