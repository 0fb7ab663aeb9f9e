use orch_core::prelude::*;

use std::rc::Rc;

#[task]
fn read(value: Rc<u32>) -> u32 {
    *value
}

fn main() {}
