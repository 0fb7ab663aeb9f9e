use orch_core::prelude::*;

struct Settings;

#[task(cache, uses(Settings))]
fn fit(n: u32) -> u32 {
    let _ = Settings;
    n
}

fn main() {}
