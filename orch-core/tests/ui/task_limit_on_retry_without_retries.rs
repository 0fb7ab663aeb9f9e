use orch_core::RetryLimits;
use orch_core::prelude::*;

fn more_ram(retry: &mut RetryLimits<'_>) {
    retry.multiply("ram", 2);
}

#[task(limit = ("ram", 8), limit_on_retry = more_ram)]
fn sort(n: u32) -> u32 {
    n
}

fn main() {}
