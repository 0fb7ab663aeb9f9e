use orch_core::prelude::*;

#[task(name = "fetch {url.len()}")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
