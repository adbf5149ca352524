//! The styles of all pictures: the terminal's own colours, those that can be read on white and on black.
//!
//! Yellow and the bright colours vanish on white, blue on black; they are not used. Cyan is for areas only, since
//! thin letters of it are hard to read on white.

use anstyle::{AnsiColor, Style};

/// Ordinary text.
pub(super) const PLAIN: Style = Style::new();

/// Headings.
pub(super) const HEADING: Style = Style::new().bold();

/// What can be passed over: units, labels, separators.
pub(super) const QUIET: Style = Style::new().dimmed();

/// The word that is asked about.
pub(super) const FOCUS: Style = AnsiColor::Magenta.on_default().bold();

/// Whom it may stand for.
pub(super) const CANDIDATE: Style = Style::new().bold().underline();

/// The bars of candidates.
pub(super) const CANDIDATE_BAR: Style = AnsiColor::Magenta.on_default();

/// All other bars.
pub(super) const BAR: Style = AnsiColor::Cyan.on_default();

/// What is wrong.
pub(super) const WRONG: Style = AnsiColor::Red.on_default().bold();
