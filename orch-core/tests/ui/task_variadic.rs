use orch_core::prelude::*;

#[task]
fn add(a: u32, rest: ...) -> u32 {
    a
}

fn main() {}
