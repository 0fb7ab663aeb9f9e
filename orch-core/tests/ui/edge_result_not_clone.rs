use orch_core::prelude::*;

pub struct Model;

#[task]
fn train() -> Model {
    Model
}

#[task]
fn store(model: Model) {
    drop(model);
}

fn main() {
    let _ = store(train());
}
