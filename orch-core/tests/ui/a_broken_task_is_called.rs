use orch_core::prelude::*;

#[task]
async fn fetch(url: &mut String) -> String {
    url.clone()
}

#[flow]
async fn run() -> Result<usize, TaskError> {
    let page: TaskRun<String> = fetch("a");
    let again = fetch::with().retries(2).name("again").submit(&page);
    let _ = fetch::stub(|_: &mut String| String::new());
    Ok(page.await?.len() + again.await?.len())
}

fn main() {}
