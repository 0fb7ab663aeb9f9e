//! Tasks and flows where the expansion has a hard time: strict lints, other paths, odd names.
#![forbid(unsafe_code)]
#![deny(missing_docs, warnings)]
#![deny(
    missing_debug_implementations,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications
)]

use std::path::Path;

use orch_core::prelude::*;

use crate::orch;

/// A model.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Model;

/// A hook.
pub fn hook(_event: &orch_core::HookEvent<'_>) {}

fn is_transient(_error: &anyhow::Error) -> bool {
    true
}

/// Has each option.
#[task(
    crate = orch,
    name = "all {url} {{x}} {tenant:?}",
    id = "all",
    version = "2",
    tags = ["a", "b"],
    retries = 3,
    backoff = "1s..30s x 3 ~ 20%",
    retry_if = is_transient,
    timeout = "5m",
    queue_timeout = "1h",
    deadline = "1d",
    heartbeat = "1s",
    limit = ["net", ("db/{tenant}", 2)],
    allow_failure,
    priority = -1,
    cache = "7d",
    on_failure = hook,
    on_end = hook
)]
pub async fn all(
    url: &str,
    #[key(skip)] mut tenant: String,
    #[key(skip)] pool: Resource<Model>,
    context: &TaskContext,
) -> anyhow::Result<Model> {
    tenant.push_str(url);
    let _ = context.attempt();
    Ok((*pool).clone())
}

/// A result without the name's arguments.
pub type FitResult = Result<Model, String>;

/// Returns it.
#[task]
pub fn aliased() -> FitResult {
    Ok(Model)
}

/// A result with one argument.
pub type MlResult<T> = Result<T, String>;

fn never(_error: &String) -> bool {
    false
}

/// Returns it.
#[task(retries = 1, retry_if = never)]
pub fn aliased_with_argument() -> MlResult<Model> {
    Ok(Model)
}

/// A value that is called a result.
#[derive(Debug)]
pub struct LossResult;

impl orch_core::PlainResult for LossResult {}

/// Returns it.
#[task]
pub fn loss() -> LossResult {
    LossResult
}

/// Each kind of parameter.
#[task]
pub fn parameters(
    path: &Path,
    bytes: &[u8],
    many: &[Tracked<u8>],
    text: &'static str,
    outcome: Outcome<u8>,
    _unused: f64,
) -> std::io::Result<u8> {
    let _ = (path, bytes, many, text, outcome);
    Ok(1)
}

/// A trait with a type.
pub trait Params {
    /// The type.
    type Model: Send + Sync + 'static;
    /// Makes it.
    fn fit(&self) -> Self::Model;
}

/// Has an implementation.
#[derive(Debug)]
pub struct Ridge;

impl Params for Ridge {
    type Model = u8;

    fn fit(&self) -> u8 {
        7
    }
}

/// Generic over a type and a number.
#[task(inline)]
pub fn fit<P: Params, const N: usize>(params: &P, _values: [u8; N]) -> P::Model
where
    P::Model: Clone,
{
    params.fit()
}

/// Generic over a number only.
#[task]
pub fn zeros<const N: usize>() -> [u8; N] {
    [0; N]
}

/// Generic and cached.
#[task(cache)]
pub fn same<T: Clone + serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> MlResult<T> {
    Ok(value.clone())
}

/// Has a keyword for a name.
#[task]
pub fn r#match(r#type: u8) -> u8 {
    r#type
}

/// Has names that the expansion uses.
#[task]
pub fn args(args: u8, stub: u8, result: String, run: u8) -> u8 {
    args + stub + run + result.len() as u8
}

/// Is generic.
#[flow(crate = crate::orch)]
pub async fn echo<T: Clone>(value: T) -> MlResult<T> {
    Ok(value)
}

/// Returns nothing.
#[flow]
pub async fn nothing() {}

/// Uses them.
#[flow(retries = 2, max_running = (2, "skip"))]
pub async fn whole(values: Vec<u8>, _context: &FlowContext) -> anyhow::Result<u8> {
    let model = fit::<Ridge, 1>(Ridge, [0]).await?;
    let same = same::<u8>(&model).await?;
    let named = r#match::with()
        .retries(1)
        .name("match")
        .after(&aliased())
        .submit(&same)
        .await?;
    nothing().await?;
    Ok(*args(1, named, "12", values.len() as u8).await? + echo(1).await?)
}

macro_rules! make {
    ($name:ident, $ty:ty, $retries:literal) => {
        /// Made by a macro.
        #[task(retries = $retries)]
        pub fn $name(value: &$ty) -> $ty {
            value.clone()
        }
    };
}

make!(made, Model, 2);

fn none(_path: &u32, _values: &u32) -> Result<u32, String> {
    Ok(0)
}

#[tokio::test]
async fn they_all_work() {
    #[task]
    fn nested(a: &u32, b: &u32) -> Result<u32, String> {
        Ok(a + b)
    }

    #[flow]
    async fn nested_flow() -> Result<u32, TaskError> {
        Ok(*nested(1, 2).await?)
    }

    assert_eq!(nested::call(&1, &2), Ok(3));
    assert_eq!(nested_flow().await.ok(), Some(3));
    assert_eq!(whole(vec![1, 2]).await.ok(), Some(7 + 1 + 2 + 2 + 1));
    assert_eq!(made(Model).await.ok().as_deref(), Some(&Model));
    let stubs = [
        nested::stub(none),
        nested::stub(|a, b| Ok(a + b)),
        nested::stub_async(|a, _b| Box::pin(async move { Ok(*a) })),
        all::stub(|url, tenant| {
            if url == tenant {
                Ok(Model)
            } else {
                Err(anyhow::anyhow!("no"))
            }
        }),
        parameters::stub(
            |path, bytes, _, _, _, _| Ok((path.as_os_str().len() + bytes.len()) as u8),
        ),
        loss::stub(|| LossResult),
        aliased_with_argument::stub(|| Err(String::new())),
        zeros::<3>::stub(|| [1; 3]),
        fit::<Ridge, 2>::stub(|_, _| 3),
    ];
    assert!(stubs.iter().all(|stub| stub.calls() == 0));
    assert!(orch_core::tasks().any(|task| task.definition().name == "match"));
}
