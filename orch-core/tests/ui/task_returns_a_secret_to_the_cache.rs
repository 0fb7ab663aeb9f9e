use orch_core::Secret;
use orch_core::prelude::*;

#[task(cache)]
async fn log_in(user: String) -> Secret {
    Secret::new(user)
}

fn main() {}
