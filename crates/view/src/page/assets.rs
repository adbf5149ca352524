//! What is built of the page, which is in the binary.

/// The page of the server.
pub const INDEX: &str = include_str!("../../assets/page/index.html");
/// Its script.
pub const SCRIPT: &str = include_str!("../../assets/page/app.js");
/// Its style.
pub const STYLE: &str = include_str!("../../assets/page/app.css");
/// Its icon.
pub const ICON: &str = include_str!("../../assets/page/icon.svg");

/// Keeps what stands in a script or style from ending it: in strings, `<\/` is `</`.
pub(super) fn in_element(content: &str) -> String {
    content.replace("</", "<\\/").replace("<!--", "<\\u0021--")
}
