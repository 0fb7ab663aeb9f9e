use orch_core::prelude::*;

#[task(cache)]
fn names() -> Vec<&'static str> {
    vec!["ada"]
}

fn main() {
    let _ = names();
}
