//! A small driver: Chromium's DevTools protocol over its standard streams, one JSON message after another with a NUL
//! between.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names that Chromium has.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// One browser with one page.
pub(crate) struct Browser {
    process: Child,
    /// Taken when it is to end.
    to: Option<ChildStdin>,
    from: Receiver<Value>,
    session: String,
    next: u64,
    /// What the page's console said that was wrong.
    pub(crate) complaints: Vec<String>,
    /// Whether what was clicked last has been saved to its end.
    saved: bool,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser, or none with the reason printed.
    #[expect(
        clippy::print_stderr,
        reason = "whoever runs the tests must see what they did not test"
    )]
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            assert!(
                std::env::var_os("LOOKBACK_REQUIRE_BROWSER").is_none(),
                "no Chromium on the path, and LOOKBACK_REQUIRE_BROWSER asks for one"
            );
            eprintln!(
                "skipped: no Chromium on the path (install it, or name it in LOOKBACK_CHROMIUM)"
            );
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // Chromium reads its file 3 and writes its file 4: the shell gives it our ends of its standard streams as these.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null"])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-extensions",
            ])
            .args([
                "--hide-scrollbars",
                "--force-color-profile=srgb",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = process.stdin.take();
        let messages = BufReader::new(process.stdout.take().unwrap()).split(0);
        let (sender, from) = channel();
        std::thread::spawn(move || {
            for message in messages.map_while(Result::ok) {
                if sender
                    .send(serde_json::from_slice(&message).unwrap())
                    .is_err()
                {
                    return;
                }
            }
        });
        let mut browser = Self {
            process,
            to,
            from,
            session: String::new(),
            next: 0,
            complaints: Vec::new(),
            saved: false,
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser.call(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        );
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.size(1280, 900);
        Some(browser)
    }

    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let to = self.to.as_mut().unwrap();
        to.write_all(format!("{message}\0").as_bytes()).unwrap();
        to.flush().unwrap();
        loop {
            let answer = self
                .from
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("{method} is not answered"));
            self.notice(&answer);
            if answer["id"] == json!(self.next) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    fn notice(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self
                .complaints
                .push(parameters["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.complaints.push(parameters["entry"].to_string());
            }
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
                self.complaints.push(parameters["args"].to_string());
            }
            Some("Browser.downloadProgress") if parameters["state"] == "completed" => {
                self.saved = true;
            }
            _ => {}
        }
    }

    /// How large the page is, in CSS pixels.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Whether the person likes dark pages.
    pub(crate) fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] }),
        );
    }

    pub(crate) fn open(&mut self, url: &str) {
        // Another document, also where only what stands after the # differs.
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.call("Page.navigate", json!({ "url": url }));
        self.wait("document.readyState === 'complete'");
    }

    /// The value of an expression; promises are waited for.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].clone()
    }

    pub(crate) fn text(&mut self, selector: &str) -> String {
        let found = self.eval(&format!(
            "document.querySelector({selector:?})?.innerText ?? null"
        ));
        found
            .as_str()
            .unwrap_or_else(|| panic!("nothing is {selector}"))
            .to_owned()
    }

    /// The page's address once it rests: the page writes it some time after what is seen has changed.
    pub(crate) fn link(&mut self) -> String {
        let rested = self.eval(
            "(async () => { for (;;) { const before = location.href; \
             await new Promise((rest) => setTimeout(rest, 300)); \
             if (location.href === before) return before; } })()",
        );
        rested.as_str().expect("an address").to_owned()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait(&mut self, expression: &str) {
        let start = Instant::now();
        loop {
            let answer = self.call(
                "Runtime.evaluate",
                json!({ "expression": expression, "returnByValue": true }),
            );
            if answer["result"]["value"] == json!(true) {
                return;
            }
            if start.elapsed() > PATIENCE {
                let seen = self.eval("document.body.innerText");
                panic!("never true: {expression}\n{:?}\n{seen}", self.complaints);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the text that is at `selector` holds `says`.
    pub(crate) fn wait_for(&mut self, selector: &str, says: &str) {
        self.wait(&format!(
            "(document.querySelector({selector:?})?.innerText ?? '').includes({says:?})"
        ));
    }

    /// What is seen, as a PNG in base64.
    pub(crate) fn screenshot(&mut self) -> String {
        // Two frames, so that what was just drawn is there.
        self.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))");
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        picture["data"].as_str().unwrap().to_owned()
    }

    /// Keeps a picture of what is seen.
    pub(crate) fn picture(&mut self, name: &str) {
        use base64::Engine as _;
        let picture = self.screenshot();
        let bytes = base64::prelude::BASE64_STANDARD.decode(picture).unwrap();
        let folder = screenshots();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// Clicks a link, and gives the name and content of the file that comes of it.
    pub(crate) fn download(&mut self, link: &str) -> (String, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let allow =
            json!({ "behavior": "allow", "downloadPath": folder.path(), "eventsEnabled": true });
        self.call("Browser.setDownloadBehavior", allow);
        self.saved = false;
        self.eval(&format!("{link}.click()"));
        // A file of that name may be there before its content is; the browser says when it is whole.
        let start = Instant::now();
        while !self.saved {
            assert!(start.elapsed() < PATIENCE, "{link}: nothing was saved");
            std::thread::sleep(Duration::from_millis(20));
            self.eval("null");
        }
        let mut files = std::fs::read_dir(folder.path()).unwrap();
        let path = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none(), "{link}: more than one file");
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(&path).unwrap())
    }

    /// The contrast of what an element writes with what is behind it, as WCAG 2 defines it: 1 to 21.
    pub(crate) fn contrast(&mut self, selector: &str) -> f64 {
        const CONTRAST: &str = "(element) => {
          const context = new OffscreenCanvas(1, 1).getContext('2d');
          const paint = (color) => { context.fillStyle = color; context.fillRect(0, 0, 1, 1); };
          const behind = [];
          for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
          behind.forEach(paint);
          const luminance = () => {
            const linear = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => {
              const s = c / 255;
              return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
          };
          const ground = luminance();
          paint(getComputedStyle(element).color);
          const [dark, light] = [ground, luminance()].sort((a, b) => a - b);
          return (light + 0.05) / (dark + 0.05);
        }";
        let asked = format!("({CONTRAST})(document.querySelector({selector:?}))");
        self.eval(&asked).as_f64().unwrap()
    }

    /// Makes the browser so many times slower.
    pub(crate) fn slow(&mut self, times: u32) {
        self.call("Emulation.setCPUThrottlingRate", json!({ "rate": times }));
    }

    /// Whether something is wider than the page.
    pub(crate) fn overflows(&mut self) -> bool {
        self.eval("document.documentElement.scrollWidth > innerWidth + 1")
            .as_bool()
            .unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends when nobody can speak to it any more; where it does not, it is ended.
        drop(self.to.take());
        let start = Instant::now();
        while matches!(self.process.try_wait(), Ok(None))
            && start.elapsed() < Duration::from_secs(2)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("LOOKBACK_CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

fn screenshots() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .join("screenshots")
}
