use orch_core::prelude::*;

fn is_transient(error: &std::fmt::Error) -> bool {
    error.to_string().is_empty()
}

#[task(retries = 1, retry_if = is_transient)]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
