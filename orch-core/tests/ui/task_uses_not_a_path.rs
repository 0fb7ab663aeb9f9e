use orch_core::prelude::*;

#[task(cache, uses("helper"))]
fn fit(n: u32) -> u32 {
    n
}

fn main() {}
