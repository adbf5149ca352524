//! A browser that has not shown the token.

use lookback_heads::example::Example;

use crate::page::Page;

/// A link that was kept: the server has been started again since, with another token.
const KEPT: &str = "#view=map&head=1.1&scale=linear";

fn type_token(page: &mut Page, token: &str) {
    page.browser
        .eval("(() => { const f = document.querySelector('[data-testid=token]'); f.focus(); f.select(); })()");
    page.browser.type_text(token);
    page.browser.click(".token .main");
}

/// Whether the page shows what the kept link leads to.
fn shows_kept(page: &mut Page) {
    page.browser
        .wait("document.querySelector('.map select')?.value === '1.1'");
    let link = page.browser.link();
    assert!(
        link.contains("head=1.1") && link.contains("scale=linear"),
        "{link}"
    );
    assert!(!link.contains("token"), "{link}");
}

#[test]
fn a_kept_link_asks_for_the_token_and_then_leads_where_it_leads() {
    let Some((mut page, with_token)) = Page::locked(&Example::default()) else {
        return;
    };
    let token = with_token.rsplit('=').next().unwrap().to_owned();
    let url = format!("{}{KEPT}", page.url);
    page.browser.open(&url);
    page.browser
        .wait_for(".token", "This server wants its token");
    for (dark, width) in [(false, 1280), (true, 1280), (false, 390)] {
        page.browser.dark(dark);
        page.browser.size(width, 900);
        let how = if dark { "dark" } else { "light" };
        page.browser.picture(&format!("token-{how}-{width}"));
        assert!(!page.browser.overflows());
    }
    page.browser.size(1280, 900);
    type_token(&mut page, "0123456789abcdef");
    page.browser
        .wait_for(".token [role=alert]", "not the token of this server");
    // What the browser itself says of a request that was turned away.
    page.browser.complaints.clear();
    // The whole address, as it is copied from the terminal.
    type_token(&mut page, &with_token);
    shows_kept(&mut page);
    // From here on links open, also those that hold the token of another run.
    page.browser.open(&url);
    shows_kept(&mut page);
    let old = format!("{}?token={}{KEPT}", page.url, "0".repeat(32));
    page.browser.open(&old);
    shows_kept(&mut page);
    let cookies = page.browser.eval("document.cookie");
    assert_eq!(cookies, "", "scripts cannot read the token");
    assert!(
        !page
            .browser
            .eval("document.documentElement.outerHTML")
            .to_string()
            .contains(&token)
    );
    page.is_content();
}

#[test]
fn the_printed_address_opens_the_page_with_what_follows_it() {
    let Some((mut page, with_token)) = Page::locked(&Example::default()) else {
        return;
    };
    page.browser.open(&format!("{with_token}{KEPT}"));
    shows_kept(&mut page);
    page.is_content();
}
