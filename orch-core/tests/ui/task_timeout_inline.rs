use orch_core::prelude::*;

#[task(inline, timeout = "1s")]
fn add(a: u32, b: u32) -> u32 {
    a + b
}

fn main() {}
