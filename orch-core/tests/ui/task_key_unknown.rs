use orch_core::prelude::*;

#[task(cache)]
fn add(#[key(ignore)] a: u32, b: u32) -> u32 {
    a + b
}

fn main() {}
