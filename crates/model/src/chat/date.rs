//! Today's date, as chat templates ask for it.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The epoch's day was a Thursday.
const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

/// A moment in universal time.
struct Moment {
    days: i64,
    seconds: i64,
    year: i64,
    /// From 0.
    month: usize,
    /// From 1.
    day: i64,
}

impl Moment {
    fn new(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
        let days = seconds / 86_400;
        // Whole cycles of 400 years first, then the years and months of the rest.
        let (mut year, mut left) = (1970 + 400 * (days / 146_097), days % 146_097);
        while left >= 365 + i64::from(leap(year)) {
            left -= 365 + i64::from(leap(year));
            year += 1;
        }
        let mut month = 0;
        while left >= month_length(year, month) {
            left -= month_length(year, month);
            month += 1;
        }
        Self {
            days,
            seconds: seconds % 86_400,
            year,
            month,
            day: left + 1,
        }
    }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_length(year: i64, month: usize) -> i64 {
    match month {
        1 => 28 + i64::from(leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// `time` in C's `strftime` notation, English names; None for a sign that is not known.
pub(super) fn format(time: SystemTime, format: &str) -> Option<String> {
    let moment = Moment::new(time);
    let (month, weekday) = (
        MONTHS[moment.month],
        WEEKDAYS[moment.days.rem_euclid(7) as usize],
    );
    let mut text = String::new();
    let mut signs = format.chars();
    while let Some(sign) = signs.next() {
        if sign != '%' {
            text.push(sign);
            continue;
        }
        let written = match signs.next()? {
            'Y' => write!(text, "{:04}", moment.year),
            'y' => write!(text, "{:02}", moment.year % 100),
            'm' => write!(text, "{:02}", moment.month + 1),
            'd' => write!(text, "{:02}", moment.day),
            'B' => write!(text, "{month}"),
            'b' => write!(text, "{}", &month[..3]),
            'A' => write!(text, "{weekday}"),
            'a' => write!(text, "{}", &weekday[..3]),
            'H' => write!(text, "{:02}", moment.seconds / 3600),
            'M' => write!(text, "{:02}", moment.seconds / 60 % 60),
            'S' => write!(text, "{:02}", moment.seconds % 60),
            '%' => write!(text, "%"),
            _ => return None,
        };
        written.expect("a string takes any text");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64, notation: &str) -> Option<String> {
        format(UNIX_EPOCH + Duration::from_secs(seconds), notation)
    }

    #[test]
    fn dates_of_known_seconds() {
        let notation = "%A %d %B %Y %H:%M:%S";
        assert_eq!(
            at(0, notation).unwrap(),
            "Thursday 01 January 1970 00:00:00"
        );
        // `date -u -d @SECONDS`
        assert_eq!(
            at(951_825_599, notation).unwrap(),
            "Tuesday 29 February 2000 11:59:59"
        );
        assert_eq!(
            at(4_107_542_400, notation).unwrap(),
            "Monday 01 March 2100 00:00:00"
        );
        assert_eq!(
            at(1_735_689_599, "%d %b %y, %a, 100%%").unwrap(),
            "31 Dec 24, Tue, 100%"
        );
    }

    #[test]
    fn unknown_signs_are_refused() {
        assert_eq!(at(0, "%Q"), None);
        assert_eq!(at(0, "%"), None);
    }
}
