use orch_core::prelude::*;

#[task(retries = "3")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
