//! What is saved from the page is a file of the kind that it says.

use lookback_heads::example::Example;
use lookback_heads::profile::profiles;

use crate::page::Page;

/// A link of the menu of what can be kept.
fn link(name: &str) -> String {
    format!("[...document.querySelectorAll('.menu a')].find((a) => a.innerText === {name:?})")
}

fn open_menu(page: &mut Page, view: &str) {
    page.open(&format!("#view={view}&head=1.0&at=9"));
    page.browser
        .wait("!document.querySelector('[aria-busy=true]')");
    page.browser.click(".keep summary");
    page.browser.wait("!!document.querySelector('.menu a')");
}

#[test]
fn the_svg_of_what_is_seen_is_saved() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    for view in ["text", "map"] {
        open_menu(&mut page, view);
        let (name, content) = page.browser.download(&link("SVG"));
        assert!(name.ends_with(".svg"), "{name}");
        let svg = String::from_utf8(content).unwrap();
        let title = if view == "text" {
            "<title>“"
        } else {
            "<title>L1H0 of example"
        };
        assert!(
            svg.starts_with("<svg ") && svg.contains(title),
            "{view}: {svg}"
        );
    }
    page.browser.picture("keep");
    page.is_content();
}

#[test]
fn the_table_of_heads_is_saved_as_the_command_saves_it() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    open_menu(&mut page, "grid");
    let table = lookback_view::table::of_heads(&profiles(&page.trace, &[]).unwrap(), |_| ());
    for kind in [
        lookback_view::table::Kind::Parquet,
        lookback_view::table::Kind::Csv,
    ] {
        let ending = format!("{kind:?}").to_lowercase();
        let (name, content) = page
            .browser
            .download(&link(&format!("All heads, {ending}")));
        assert_eq!(name, format!("heads.{ending}"));
        let mut expected = Vec::new();
        table.write(kind, &mut expected).unwrap();
        assert!(content == expected, "{ending} is another file");
    }
    page.is_content();
}
