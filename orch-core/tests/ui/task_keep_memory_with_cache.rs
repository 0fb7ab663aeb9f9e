use orch_core::prelude::*;

#[task(cache, keep = "memory")]
fn fit(n: u32) -> u32 {
    n
}

fn main() {}
