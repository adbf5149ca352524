//! What is built of the page, which is in the binary.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

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

/// How a content-security policy names a script or style by what stands in it.
pub(super) fn source(content: &str) -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(content));
    format!("'sha256-{hash}'")
}
