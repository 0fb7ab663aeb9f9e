use orch_core::prelude::*;

#[task(retries = 3, backoff = "1s..500ms")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
