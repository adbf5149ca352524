//! What a person does with a mouse, keys and fingers.

use serde_json::json;

use crate::chromium::Browser;

impl Browser {
    /// Clicks where something is, as a mouse does.
    pub(crate) fn click(&mut self, selector: &str) {
        let find = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center' }}); \
             const b = e.getBoundingClientRect(); return [b.left + Math.min(b.width, 24) / 2, b.top + b.height / 2]; }})()"
        );
        let at = self.eval(&find);
        self.click_at(at[0].as_f64().unwrap(), at[1].as_f64().unwrap());
    }

    pub(crate) fn click_at(&mut self, x: f64, y: f64) {
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": if kind == "mouseMoved" { "none" } else { "left" }, "buttons": buttons, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    pub(crate) fn wheel(&mut self, x: f64, y: f64, down: f64) {
        let event = json!({ "type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": down });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Presses a key by its name: `ArrowRight`, `Enter`, `Tab`, `+`.
    pub(crate) fn key(&mut self, key: &str) {
        let text = match key {
            "Enter" => Some("\r"),
            " " => Some(" "),
            key if key.len() == 1 => Some(key),
            _ => None,
        };
        let codes = [
            ("Tab", 9),
            ("Enter", 13),
            (" ", 32),
            ("End", 35),
            ("Home", 36),
            ("ArrowLeft", 37),
            ("ArrowUp", 38),
            ("ArrowRight", 39),
            ("ArrowDown", 40),
        ];
        let code = codes
            .iter()
            .find(|(name, _)| *name == key)
            .map_or(0, |(_, code)| *code);
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if let (Some(text), "keyDown") = (text, kind) {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Moves the map's cross-hair to a query and a key, by keys alone.
    pub(crate) fn go_to_cell(&mut self, query: usize, key: usize) {
        self.wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
        self.eval("document.querySelector('.map canvas').focus()");
        self.key("0");
        for _ in 0..40 {
            self.key("ArrowUp");
            self.key("ArrowLeft");
        }
        for _ in 0..query {
            self.key("ArrowDown");
        }
        for _ in 0..key {
            self.key("ArrowRight");
        }
    }

    /// Types into what has the focus.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Puts two fingers on the page, moves them apart or together, and lifts them: where they are, step by step.
    pub(crate) fn pinch(&mut self, steps: &[[(f64, f64); 2]]) {
        let point = |(at, (x, y)): (usize, &(f64, f64))| json!({ "x": x, "y": y, "id": at });
        for (at, fingers) in steps.iter().enumerate() {
            let kind = if at == 0 { "touchStart" } else { "touchMove" };
            let points: Vec<_> = fingers.iter().enumerate().map(point).collect();
            let event = json!({ "type": kind, "touchPoints": points });
            self.call("Input.dispatchTouchEvent", event);
        }
        self.call(
            "Input.dispatchTouchEvent",
            json!({ "type": "touchEnd", "touchPoints": [] }),
        );
    }
}
