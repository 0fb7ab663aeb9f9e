use orch_core::prelude::*;

#[task(cache = forever)]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
