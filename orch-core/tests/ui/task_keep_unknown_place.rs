use orch_core::prelude::*;

#[task(keep = "disk")]
fn fit(n: u32) -> u32 {
    n
}

fn main() {}
