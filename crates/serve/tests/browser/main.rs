//! The page in a real browser.
//!
//! Chromium is driven over its own protocol. Where there is none, these tests say so and pass, unless
//! `LOOKBACK_REQUIRE_BROWSER` is set: then they fail, so that a machine that should have one cannot lose it unseen.
//! Pictures of what was seen are kept in the target folder, under `screenshots/`.

mod chromium;
mod exported;
mod hostile;
mod input;
mod locked;
mod looks;
mod map;
mod masks;
mod model;
mod page;
mod paint;
mod places;
mod saved;
mod scripts;
mod text;
mod who;
