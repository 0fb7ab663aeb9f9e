#[orch_core::test]
async fn it_works(value: u32) {
    assert_eq!(value, 1);
}

fn main() {}
