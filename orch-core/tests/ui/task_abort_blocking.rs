use orch_core::prelude::*;

#[task(timeout = "1s", on_timeout = "abort")]
fn add(a: u32, b: u32) -> u32 {
    a + b
}

fn main() {}
