//! What `look` and `explain` answer, with the default model and with the program itself.

mod explain;
mod heads;
mod json_version;
mod look;
mod program;
mod who;
