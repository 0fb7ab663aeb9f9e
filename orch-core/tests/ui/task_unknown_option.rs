use orch_core::prelude::*;

#[task(colour = "red")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
