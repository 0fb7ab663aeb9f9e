use orch_core::prelude::*;

fn notify(message: &str) {
    println!("{message}");
}

#[task(on_failure = notify)]
fn add(a: u32, b: u32) -> u32 {
    a + b
}

fn main() {}
