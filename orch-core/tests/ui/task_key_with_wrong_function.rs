use orch_core::prelude::*;

fn rows(table: &Vec<u8>) -> usize {
    table.len()
}

#[task(cache)]
fn fit(#[key(with = rows)] name: String) -> usize {
    name.len()
}

fn main() {}
