use orch_core::prelude::*;

pub struct Model {
    pub slope: f64,
}

#[task(cache)]
fn train(slope: f64) -> Result<Model, std::io::Error> {
    Ok(Model { slope })
}

fn main() {}
