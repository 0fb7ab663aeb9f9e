use orch_core::prelude::*;

#[task]
const fn add(a: u32, b: u32) -> u32 {
    a + b
}

fn main() {}
