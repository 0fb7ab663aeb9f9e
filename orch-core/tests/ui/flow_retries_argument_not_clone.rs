use orch_core::prelude::*;

pub struct Connection;

#[flow(retries = 1)]
async fn run(connection: Connection) -> Result<u32, FlowError> {
    let _ = connection;
    Ok(1)
}

fn main() {}
