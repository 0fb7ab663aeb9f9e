use orch_core::prelude::*;

#[task]
fn length<'a>(text: &'a str) -> usize {
    text.len()
}

fn main() {}
