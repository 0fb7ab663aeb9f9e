use orch_core::prelude::*;

type Answer = Result<u32, std::io::Error>;

#[task]
fn ask(question: String) -> Answer {
    Ok(question.len() as u32)
}

fn main() {}
