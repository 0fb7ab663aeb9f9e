use orch_core::prelude::*;

use std::rc::Rc;

#[task]
fn share(value: u32) -> Rc<u32> {
    Rc::new(value)
}

fn main() {}
