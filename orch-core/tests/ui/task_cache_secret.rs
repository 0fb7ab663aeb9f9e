use orch_core::Secret;
use orch_core::prelude::*;

#[task(cache)]
async fn download(token: &Secret, path: String) -> usize {
    token.expose().len() + path.len()
}

fn main() {}
