#[orch_core::test]
async fn it_works<T>() {}

fn main() {}
