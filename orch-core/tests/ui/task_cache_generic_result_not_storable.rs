use orch_core::prelude::*;

#[task(cache)]
fn same<T: Clone>(value: &T) -> T {
    value.clone()
}

fn main() {}
