//! What a terminal shows of styled text.

/// Escape sequences of colours and styles are removed; any other stays and is seen.
pub(crate) fn plain(styled: &str) -> String {
    let mut plain = String::new();
    let mut rest = styled;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let end = after
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap();
        assert!(after[end..].starts_with('m'), "{after:?}");
        rest = &after[end + 1..];
    }
    plain.push_str(rest);
    plain
}
