use orch_core::prelude::*;

#[task(stale_ok = "1h")]
fn fit(n: u32) -> u32 {
    n
}

fn main() {}
