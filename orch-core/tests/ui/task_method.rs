use orch_core::prelude::*;

pub struct Store;

impl Store {
    #[task]
    fn load(&self, name: String) -> String {
        name
    }
}

fn main() {}
