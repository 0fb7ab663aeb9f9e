#[orch_core::test(retries = 1)]
async fn it_works() {}

fn main() {}
