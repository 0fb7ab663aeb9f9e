use orch_core::prelude::*;

fn always(_error: &String) -> bool {
    true
}

#[task(retries = 1, retry_if = always)]
fn add(a: u32, b: u32) -> u32 {
    a + b
}

fn main() {}
