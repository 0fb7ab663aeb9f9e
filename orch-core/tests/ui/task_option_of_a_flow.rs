use orch_core::prelude::*;

#[task(grace = "1s")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
