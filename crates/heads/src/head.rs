//! Heads by name: `5.10` and `L5H10` are head 10 of layer 5, both counted from 0.

use lookback_trace::{HeadId, Trace};

use crate::Error;

/// Reads `L.H` or `LxHy` (letters in either case), for example `5.10` or `L5H10`.
///
/// # Errors
/// [`Error::MalformedHead`].
///
/// ```
/// let head = lookback_heads::head::parse("L5H10")?;
/// assert_eq!((head.layer, head.head), (5, 10));
/// assert_eq!(lookback_heads::head::parse("5.10")?, head);
/// # Ok::<(), lookback_heads::Error>(())
/// ```
pub fn parse(name: &str) -> Result<HeadId, Error> {
    let malformed = || Error::MalformedHead { name: name.into() };
    let trimmed = name.trim();
    let (layer, head) = match trimmed.strip_prefix(['L', 'l']) {
        Some(rest) => rest.split_once(['H', 'h']),
        None => trimmed.split_once('.'),
    }
    .ok_or_else(malformed)?;
    Ok(HeadId {
        layer: index(layer).ok_or_else(malformed)?,
        head: index(head).ok_or_else(malformed)?,
    })
}

/// The name that the project writes: `L5H10`.
///
/// ```
/// use lookback_heads::head;
/// assert_eq!(head::name(head::parse("5.10")?), "L5H10");
/// # Ok::<(), lookback_heads::Error>(())
/// ```
#[must_use]
pub fn name(head: HeadId) -> String {
    format!("L{}H{}", head.layer, head.head)
}

/// Checks that a model of `layers` layers with `heads` query heads each has a head.
///
/// # Errors
/// [`Error::NoSuchHead`], which says which heads there are.
pub fn check(head: HeadId, layers: usize, heads: usize) -> Result<(), Error> {
    if head.layer < layers && head.head < heads {
        return Ok(());
    }
    Err(Error::NoSuchHead {
        head,
        layers,
        heads,
    })
}

/// Checks that a trace has a head.
///
/// # Errors
/// As [`check`]; [`Error::Trace`] where the trace holds some of a model's layers or heads.
pub fn check_in(head: HeadId, trace: &Trace) -> Result<(), Error> {
    if !trace.counts_from_0() {
        trace.head(head.layer, head.head)?;
        return Ok(());
    }
    let layers = trace.layer_count();
    // Of a layer that is not there, the first says how many heads each has.
    let layer = if head.layer < layers { head.layer } else { 0 };
    check(head, layers, trace.head_count(layer))
}

/// All heads of `layers` layers with `heads` query heads each, in order.
pub(crate) fn all(layers: usize, heads: usize) -> impl Iterator<Item = HeadId> {
    let of = move |layer| (0..heads).map(move |head| HeadId { layer, head });
    (0..layers).flat_map(of)
}

/// Digits only: `usize::from_str` alone would also take a plus sign.
fn index(digits: &str) -> Option<usize> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_head_is_an_error() {
        for name in [
            "",
            "5",
            "5.",
            ".5",
            "5.1.2",
            "L5",
            "LH",
            "5H1",
            "L5.1",
            "+5.1",
            "5.-1",
            "5,1",
            "L 5H1",
            "a.b",
            "99999999999999999999.1",
        ] {
            assert!(
                matches!(parse(name), Err(Error::MalformedHead { .. })),
                "{name:?} was taken for a head"
            );
        }
    }

    #[test]
    fn says_which_heads_there_are() {
        let error = check(HeadId { layer: 30, head: 2 }, 30, 9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no head L30H2: layers are 0 to 29, and each has heads 0 to 8"
        );
        assert!(check(HeadId { layer: 29, head: 8 }, 30, 9).is_ok());
        assert!(check(HeadId { layer: 29, head: 9 }, 30, 9).is_err());
    }

    proptest! {
        #[test]
        fn reads_both_ways_of_writing(layer: usize, h: usize) {
            let head = HeadId { layer, head: h };
            prop_assert_eq!(parse(&name(head)).unwrap(), head);
            prop_assert_eq!(parse(&format!("{layer}.{h}")).unwrap(), head);
            prop_assert_eq!(parse(&format!(" l{layer}h{h} ")).unwrap(), head);
        }

        #[test]
        fn never_panics(name in ".*") {
            let _ = parse(&name);
        }
    }
}
