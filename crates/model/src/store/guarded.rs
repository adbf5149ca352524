//! A program that does not outlive this one, and what it says.

use std::io::Read;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

/// How much of what a program says is kept: the last bytes.
const KEPT: usize = 16 << 10;

/// Runs a program, given with its arguments, so that it ends with whoever holds the other end of standard input: when that is
/// closed, which the system does however its holder ends, the second process here ends all processes of the group.
#[cfg(unix)]
const GUARD: &str = r#"exec 3<&0 </dev/null
"$@" 3<&- &
program=$!
{ read -r _ <&3; kill -s KILL 0; } >/dev/null 2>&1 &
exec 3<&-
wait "$program""#;

/// A running program. When this is dropped, it and what it started is ended.
pub(super) struct Guarded {
    child: Child,
    ended: bool,
    /// Held open while the program may run.
    stdin: Option<ChildStdin>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Guarded {
    /// Starts `command`, whose standard error is kept and whose standard output is not.
    pub(super) fn spawn(command: &Command) -> std::io::Result<Self> {
        let mut command = guarded(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let stderr = child
            .stderr
            .take()
            .map(|stderr| std::thread::spawn(move || last_bytes(stderr)));
        Ok(Self {
            child,
            ended: false,
            stdin,
            stderr,
        })
    }

    /// How it ended, once it has.
    pub(super) fn try_wait(&mut self) -> std::io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        self.ended |= status.is_some();
        Ok(status)
    }

    /// Ends it, and gives the last 16 KiB of what it said on standard error.
    pub(super) fn said(mut self) -> String {
        self.end();
        let said = self.stderr.take().and_then(|reader| reader.join().ok());
        String::from_utf8_lossy(&said.unwrap_or_default()).into_owned()
    }

    fn end(&mut self) {
        if !self.ended {
            kill(&mut self.child);
        }
        // What it started ends with it.
        self.stdin = None;
        let _ = self.child.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
    }
}

/// `command` as a process group of its own, with its environment and in its folder.
#[cfg(unix)]
fn guarded(command: &Command) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut guarded = Command::new("/bin/sh");
    guarded
        .args(["-c", GUARD, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .process_group(0);
    take_place(command, &mut guarded);
    guarded
}

/// Where there are no process groups, the program itself is ended, and what it started is not.
#[cfg(not(unix))]
fn guarded(command: &Command) -> Command {
    let mut guarded = Command::new(command.get_program());
    guarded.args(command.get_args());
    take_place(command, &mut guarded);
    guarded
}

fn take_place(command: &Command, guarded: &mut Command) {
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guarded.env(name, value),
            None => guarded.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        guarded.current_dir(folder);
    }
}

/// Ends a process that was not waited for yet, with its group. It fails only where it has ended already.
#[cfg(unix)]
fn kill(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

#[cfg(not(unix))]
fn kill(child: &mut Child) {
    let _ = child.kill();
}

/// The last bytes of what comes in until it ends.
fn last_bytes(mut from: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer) {
            Ok(count) if count > 0 => kept.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            _ => break,
        }
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    kept.drain(..kept.len().saturating_sub(KEPT));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept() {
        let long: Vec<u8> = (0..100_000_u32).map(|at| at as u8).collect();
        assert_eq!(last_bytes(&long[..]), long[long.len() - KEPT..]);
        assert_eq!(last_bytes(&b"short"[..]), b"short");
    }

    #[cfg(unix)]
    fn sh(script: &str) -> Guarded {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Guarded::spawn(&command).unwrap()
    }

    #[cfg(unix)]
    fn wait(program: &mut Guarded) -> ExitStatus {
        loop {
            if let Some(status) = program.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_program_ends_as_it_does_and_says_what_it_says() {
        let mut program = sh("echo ignored; echo said >&2; exit 3");
        assert_eq!(wait(&mut program).code(), Some(3));
        assert_eq!(program.said(), "said\n");
        // What is left running in the background holds nothing up.
        let mut program = sh("sleep 600 & echo said >&2");
        assert!(wait(&mut program).success());
        assert_eq!(program.said(), "said\n");
    }

    /// As when this process is killed: nobody is there to end the program, and its standard input is closed.
    #[cfg(unix)]
    #[test]
    fn a_program_whose_parent_is_gone_is_ended() {
        let mut program = sh("sleep 600; exit 3");
        program.stdin = None;
        let status = wait(&mut program);
        assert!(!status.success() && status.code() != Some(3), "{status}");
    }
}
