use orch_core::prelude::*;

pub enum Refusal {
    Busy,
}

#[task]
fn ask(question: String) -> Result<u32, Refusal> {
    match question.len() {
        0 => Err(Refusal::Busy),
        _ => Ok(1),
    }
}

fn main() {}
