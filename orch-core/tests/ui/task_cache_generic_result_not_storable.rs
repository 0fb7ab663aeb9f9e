use orch_core::prelude::*;

#[task(cache)]
fn same<T: Clone + serde::Serialize>(value: &T) -> T {
    value.clone()
}

fn main() {}
