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
pub(crate) struct Page {
    pub(crate) browser: Browser,
    /// The address without the token, which the browser has shown.
    pub(crate) url: String,
    pub(crate) trace: Trace,
    pub(crate) model: Option<Arc<Model>>,
    stop: Arc<AtomicBool>,
}

impl Page {
    /// None where there is no browser.
    pub(crate) fn of(example: &Example) -> Option<Self> {
        Some(Self::let_in(Self::locked(example)?))
    }

    /// A browser that has not shown the token, and the address that holds it.
    pub(crate) fn locked(example: &Example) -> Option<(Self, String)> {
        let options = ServeOptions {
            trace: Some(example.trace()),
            ..ServeOptions::default()
        };
        Self::serving(options, example.trace())
    }

    /// The default model, and its trace of the sentence of the notes.
    pub(crate) fn of_model() -> Option<Self> {
        let resolved = Store::from_env().unwrap().default_model(&Silent).unwrap();
        let model = Model::load(&resolved.path, &LoadOptions::default()).unwrap();
        let encoding = model
            .tokenizer()
            .encode(SENTENCE, &Prefix::Declared)
            .unwrap();
        let traced = model
            .trace(&encoding, &TraceOptions::default(), &())
            .unwrap();
        let model = Some(NamedModel {
            model: Arc::new(model),
            name: resolved.name,
            sha256: resolved.sha256.unwrap_or_default(),
        });
        let options = ServeOptions {
            model,
            text: SENTENCE.to_owned(),
            ..ServeOptions::default()
        };
        Some(Self::let_in(Self::serving(options, traced.trace)?))
    }

    /// Opens the address that holds the token, which the browser keeps.
    fn let_in((mut page, with_token): (Self, String)) -> Self {
        page.browser.open(&with_token);
        page.open("");
        page
    }

    fn serving(options: ServeOptions, trace: Trace) -> Option<(Self, String)> {
        let browser = Browser::start()?;
        let model = options.model.as_ref().map(|named| named.model.clone());
        let server = Server::bind(options).unwrap();
        let (with_token, stop) = (server.url(), Arc::new(AtomicBool::new(false)));
        let (url, _) = with_token.split_once('?').unwrap();
        let url = url.to_owned();
        let flag = stop.clone();
        std::thread::spawn(move || server.run(move || flag.load(Ordering::Relaxed)).unwrap());
        let page = Self {
            browser,
            url,
            trace,
            model,
            stop,
        };
        Some((page, with_token))
    }

    /// Opens the page at what stands after the #.
    pub(crate) fn open(&mut self, link: &str) {
        let url = format!("{}{link}", self.url);
        self.browser.open(&url);
        self.browser
            .wait("!!document.querySelector('main [aria-label]')");
    }

    /// Nothing went wrong that only the console says.
    pub(crate) fn is_content(&self) {
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

/// A part of a whole as the page writes it.
pub(crate) fn percent(part: impl Into<f64>) -> String {
    match part.into() {
        0.0 => "0%".to_owned(),
        part if part < 0.0005 => "<0.1%".to_owned(),
        part => format!("{:.1}%", 100.0 * part),
    }
}

/// Whether a weight is written in percent, to all the digits that are shown.
pub(crate) fn is_shown(shown: &str, weight: f32) {
    let value = shown
        .strip_suffix('%')
        .and_then(|of| of.parse::<f64>().ok());
    let value = value.unwrap_or_else(|| panic!("{shown:?} is no percentage"));
    let weight = 100.0 * f64::from(weight);
    assert!(
        (value - weight).abs() <= 0.6e-2 * weight.max(1e-10),
        "{value}% is not {weight}%"
    );
}
