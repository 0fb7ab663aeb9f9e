use orch_core::prelude::*;

#[task(retries = 2, limit = ("ram", 8), limit_on_retry = 16)]
fn sort(n: u32) -> u32 {
    n
}

fn main() {}
