use orch_core::prelude::*;

#[task]
fn length(text: String) -> usize {
    text.len()
}

#[task]
fn show(length: Option<usize>) -> String {
    format!("{length:?}")
}

fn main() {
    let _ = show(Some(length("two")));
}
