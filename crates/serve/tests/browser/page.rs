//! A server of an example's trace, and its page in a browser.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lookback_heads::example::{Example, SENTENCE};
use lookback_model::store::{Silent, Store};
use lookback_model::{LoadOptions, Model, Prefix, TraceOptions};
use lookback_serve::{NamedModel, ServeOptions, Server};
use lookback_trace::Trace;

use crate::chromium::Browser;

/// A server, its trace and a browser.
pub struct Page {
    pub browser: Browser,
    pub url: String,
    pub trace: Trace,
    stop: Arc<AtomicBool>,
}

impl Page {
    /// None where there is no browser.
    pub fn of(example: &Example) -> Option<Self> {
        let browser = Browser::start()?;
        let options = ServeOptions {
            trace: Some(example.trace()),
            ..ServeOptions::default()
        };
        let server = Server::bind(options).unwrap();
        let (url, stop) = (server.url(), Arc::new(AtomicBool::new(false)));
        let flag = stop.clone();
        std::thread::spawn(move || server.run(move || flag.load(Ordering::Relaxed)).unwrap());
        let mut page = Self {
            browser,
            url,
            trace: example.trace(),
            stop,
        };
        page.open("");
        Some(page)
    }

    /// Opens the page at what stands after the #.
    pub fn open(&mut self, link: &str) {
        let url = format!("{}{link}", self.url);
        self.browser.open(&url);
        self.browser
            .wait("!!document.querySelector('main [aria-label]')");
    }

    /// Nothing went wrong that only the console says.
    pub fn is_content(&self) {
        assert!(
            self.browser.complaints.is_empty(),
            "{:?}",
            self.browser.complaints
        );
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A share as the page writes it.
pub fn percent(share: f32) -> String {
    match 100.0 * share {
        0.0 => "0%".to_owned(),
        percent if percent < 0.1 => "<0.1%".to_owned(),
        percent => format!("{percent:.1}%"),
    }
}
