use orch_core::prelude::*;

struct Settings {
    depth: u32,
}

#[task(cache)]
fn fit(settings: &Settings) -> u32 {
    settings.depth
}

fn main() {}
