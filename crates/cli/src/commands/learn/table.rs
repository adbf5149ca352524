//! The study's table in a terminal.

use std::io::{self, Write};

use lookback_learn::study::{Cell, Row, Table};

/// Columns that a line with both sets takes.
const WIDE: usize = 114;

/// Writes the table: a line a setting where `width` allows it, else three.
pub(super) fn write(out: &mut impl Write, table: &Table, width: usize) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    let wide = width >= WIDE;
    if wide {
        writeln!(
            out,
            "{bold}{:29} {:>9} {:>5} {:>5} {:>5}  {:27} {}{bold:#}",
            "", "trained", "steps", "s", "CPU s", "held-out names, %", "held-out templates, %"
        )?;
    }
    for row in &table.rows {
        let (names, templates) = (cell(&row.held_out_names), cell(&row.held_out_templates));
        let [seconds, cpu] = [Some(row.seconds), row.cpu_seconds].map(seconds);
        let (trained, steps) = (grouped(row.parameters), row.steps);
        if wide {
            writeln!(
                out,
                "{:29} {trained:>9} {steps:>5.0} {seconds:>5} {cpu:>5}  {names:27} {templates}",
                row.setting
            )?;
        } else {
            writeln!(out, "{bold}{}{bold:#}", row.setting)?;
            writeln!(
                out,
                "  {trained} numbers, {steps:.0} steps, {seconds} s, {cpu} CPU s"
            )?;
            writeln!(out, "  held-out names      {names}")?;
            writeln!(out, "  held-out templates  {templates}")?;
        }
    }
    write_legend(out, &table.rows)
}

fn write_legend(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "accuracy [95% interval], swapped forms drawn together")?;
    let seeds = rows.iter().map(|row| row.runs).max().unwrap_or(1);
    if seeds > 1 {
        writeln!(out, "{seeds} seeds pooled, least–most of a seed beside")?;
    }
    writeln!(out, "s, CPU s: of one run, on the clock and of processors")
}

fn cell(cell: &Cell) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    let [low, high] = cell.interval.map(percent);
    let [least, most] = cell.seeds.map(percent);
    let accuracy = percent(cell.accuracy);
    if least == most {
        format!("{accuracy} [{low}, {high}]")
    } else {
        format!("{accuracy} [{low}, {high}] {least}–{most}")
    }
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.0}"))
}

/// `443,520`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use lookback_learn::study::{Cell, Row, Table};

    use super::*;

    fn table() -> Table {
        let cell = |accuracy: f64, seeds: [f64; 2]| Cell {
            accuracy,
            interval: [accuracy - 0.01, accuracy],
            seeds,
        };
        Table {
            rows: vec![Row {
                setting: "(d) two layers, four heads".to_owned(),
                parameters: 443_520,
                seconds: 54.4,
                cpu_seconds: None,
                steps: 200.0,
                runs: 3,
                held_out_names: cell(1.0, [1.0, 1.0]),
                held_out_templates: cell(0.99, [0.985, 0.995]),
            }],
        }
    }

    fn written(width: usize) -> String {
        let mut out = Vec::new();
        write(&mut out, &table(), width).unwrap();
        String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).unwrap()
    }

    #[test]
    fn a_line_a_setting_where_there_is_room_and_never_wider() {
        for width in [WIDE, 60] {
            let text = written(width);
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{text}"
            );
            assert!(text.contains("443,520") && text.contains("99.0 [98.0, 99.0] 98.5–99.5"));
            assert!(text.contains("100.0 [99.0, 100.0]\n") || width == WIDE);
        }
        assert_eq!(
            written(WIDE).lines().count(),
            written(60).lines().count() - 2
        );
    }
}
