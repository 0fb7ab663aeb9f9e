use orch_core::prelude::*;

#[task]
pub struct Model {
    pub slope: f64,
}

fn main() {}
