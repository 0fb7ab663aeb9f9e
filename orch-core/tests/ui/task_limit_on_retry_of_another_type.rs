use orch_core::prelude::*;

fn more_ram(slots: u32) -> u32 {
    slots * 2
}

#[task(retries = 2, limit = ("ram", 8), limit_on_retry = more_ram)]
fn sort(n: u32) -> u32 {
    n
}

fn main() {}
