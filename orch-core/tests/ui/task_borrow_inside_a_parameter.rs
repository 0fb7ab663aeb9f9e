use orch_core::prelude::*;

#[task]
fn join(words: Vec<&str>) -> String {
    words.concat()
}

fn main() {}
