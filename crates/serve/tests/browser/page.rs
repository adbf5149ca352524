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
    pub(crate) url: String,
    pub(crate) trace: Trace,
    pub(crate) model: Option<Arc<Model>>,
    stop: Arc<AtomicBool>,
}

impl Page {
    /// None where there is no browser.
    pub(crate) fn of(example: &Example) -> Option<Self> {
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
        Self::serving(options, traced.trace)
    }

    fn serving(options: ServeOptions, trace: Trace) -> Option<Self> {
        let browser = Browser::start()?;
        let model = options.model.as_ref().map(|named| named.model.clone());
        let server = Server::bind(options).unwrap();
        let (url, stop) = (server.url(), Arc::new(AtomicBool::new(false)));
        let flag = stop.clone();
        std::thread::spawn(move || server.run(move || flag.load(Ordering::Relaxed)).unwrap());
        let mut page = Self {
            browser,
            url,
            trace,
            model,
            stop,
        };
        page.open("");
        Some(page)
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

/// A share as the page writes it.
pub(crate) fn percent(share: f32) -> String {
    match 100.0 * share {
        0.0 => "0%".to_owned(),
        percent if percent < 0.1 => "<0.1%".to_owned(),
        percent => format!("{percent:.1}%"),
    }
}
