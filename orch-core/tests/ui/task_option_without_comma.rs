use orch_core::prelude::*;

#[task(retries = 3 timeout = "1s")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
