//! Lets the file under test take shuttle's types in place of the standard library's.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
}
