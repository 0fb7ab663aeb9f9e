use orch_core::prelude::*;

#[task]
fn first(text: &str) -> &str {
    &text[..1]
}

fn main() {}
