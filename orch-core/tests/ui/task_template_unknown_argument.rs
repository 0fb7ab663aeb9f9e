use orch_core::prelude::*;

#[task(name = "fetch {address}")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
