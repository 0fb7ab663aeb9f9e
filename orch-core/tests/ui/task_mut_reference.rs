use orch_core::prelude::*;

#[task]
fn push(values: &mut Vec<u32>) {
    values.push(1);
}

fn main() {}
