//! What `look` and `explain` answer, with the default model and with the program itself.

mod explain;
mod look;
mod program;
