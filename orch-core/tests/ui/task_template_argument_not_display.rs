use orch_core::prelude::*;

pub struct Model;

#[task(name = "store {model}")]
async fn store(model: &Model) {
    let _ = model;
}

fn main() {}
