use orch_core::prelude::*;

#[task(retries = 1, retries = 2)]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
