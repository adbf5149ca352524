//! What is printed, and how.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use lookback_trace::write_atomic;
use serde::Serialize;

use crate::interrupt;
use crate::json_version::{self, JsonVersion};

/// Standard output, buffered, with colours left out where they are not wanted.
pub(crate) fn stdout() -> BufWriter<anstream::AutoStream<io::StdoutLock<'static>>> {
    BufWriter::new(anstream::stdout().lock())
}

/// Prints one JSON object, in one line, in the version that was asked for.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    if JsonVersion::asked() == JsonVersion::One
        && let Some(one) = json_version::to_one(serde_json::to_value(value)?)
    {
        return print_json_as_it_is(&one);
    }
    print_json_as_it_is(value)
}

/// Prints one JSON object, in one line: the current version, whatever was asked for.
pub(crate) fn print_json_as_it_is(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// Fails for a destination that cannot be written, or that holds something.
pub(crate) fn check_destination(file: &Path, force: bool) -> anyhow::Result<()> {
    let name = file.display();
    if file.is_dir() {
        bail!("{name} is a folder; give the name of a file");
    }
    if file.try_exists().unwrap_or(false) && !force {
        bail!("{name} is there already; replace it with --force, or give another name");
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        bail!(
            "{name} cannot be written: there is no folder {}",
            folder.display()
        );
    }
    Ok(())
}

/// Writes a file under another name and renames it once it is whole, so that it is never seen half-written. Where the
/// person asks to stop meanwhile, what was written is removed.
pub(crate) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut Interruptible<&mut BufWriter<&File>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let _graceful = interrupt::graceful();
    write_atomic(path, |out| {
        write(&mut Interruptible(out)).map_err(io::Error::other)
    })
    .with_context(|| format!("{} cannot be written", path.display()))
}

/// A writer that fails once the person asked to stop.
pub(crate) struct Interruptible<W>(W);

impl<W: Write> Write for Interruptible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        interrupt::check().map_err(io::Error::other)?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A writer that says how many bytes went through it.
pub(crate) struct Counted<W, F> {
    out: W,
    written: u64,
    progress: F,
}

impl<W: Write, F: FnMut(u64)> Counted<W, F> {
    pub(crate) fn new(out: W, progress: F) -> Self {
        Self {
            out,
            written: 0,
            progress,
        }
    }
}

impl<W: Write, F: FnMut(u64)> Write for Counted<W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        (self.progress)(self.written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Says what was written, as JSON or in lines.
pub(crate) fn wrote(
    json: bool,
    value: &impl Serialize,
    lines: &[impl AsRef<str>],
) -> anyhow::Result<()> {
    if json {
        return print_json(value);
    }
    let mut out = stdout();
    for line in lines {
        writeln!(out, "{}", one_line(line.as_ref()))?;
    }
    out.flush()?;
    Ok(())
}

/// Says something beside the answer, on standard error.
pub(crate) fn note(message: &str) {
    let style = anstyle::Style::new().bold();
    // A note that nobody can read is no reason to fail.
    let _ = writeln!(
        anstream::stderr().lock(),
        "{style}note:{style:#} {}",
        one_line(&shortened(message))
    );
}

/// The most bytes of a message: names and values that it repeats may be of any length.
pub(crate) const LONGEST_MESSAGE: usize = 4000;

/// A message of bearable length: of a longer one its begin and its end, which say what was done and what was wrong.
pub(crate) fn shortened(message: &str) -> Cow<'_, str> {
    if message.len() <= LONGEST_MESSAGE {
        return message.into();
    }
    let part = LONGEST_MESSAGE / 2;
    let begin = &message[..message.floor_char_boundary(part)];
    let end = &message[message.ceil_char_boundary(message.len() - part)..];
    format!("{begin} … {end}").into()
}

/// `text` in one line, with control characters shown rather than sent to the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for part in text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        for c in part.chars() {
            if c.is_control() {
                line.extend(c.escape_default())
            } else {
                line.push(c)
            }
        }
    }
    line
}

/// `1 token`, `2 tokens`: how many there are of what `one` names.
pub(crate) fn count(number: usize, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// A number of bytes as a person reads it, in decimal units: `92.9 MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_a_person_writes_them() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (92_871_040, "92.9 MB"),
            (999_960, "1.0 MB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_long_message_keeps_its_begin_and_its_end() {
        assert_eq!(shortened("as it is"), "as it is");
        let long = format!("cannot read {}: no such file", "é/".repeat(100_000));
        let short = shortened(&long);
        assert!(short.len() <= LONGEST_MESSAGE + 5, "{}", short.len());
        assert!(short.starts_with("cannot read é/") && short.ends_with(": no such file"));
    }

    #[test]
    fn one_is_no_plural() {
        let counts = [0, 1, 2].map(|number| count(number, "token"));
        assert_eq!(counts, ["0 tokens", "1 token", "2 tokens"]);
    }

    #[test]
    fn a_message_is_one_line_and_sends_nothing_to_the_terminal() {
        assert_eq!(
            one_line("a\n  b\r\n\x1b[31mc\u{7}"),
            "a b \\u{1b}[31mc\\u{7}"
        );
    }
}
