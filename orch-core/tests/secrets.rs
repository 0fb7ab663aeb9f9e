//! A secret that is everywhere in a flow run, and nowhere in the folder that records it.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use orch_core::prelude::*;
use orch_core::{BoxError, CacheIdentity, Secret};

use support::{Folder, role, say};

/// Looks different in JSON, in Rust's debug output, percent-encoded and in base64.
const SECRET: &str = "tr\"ub4dor&3/+é~?\\";

const VARIABLE: &str = "ORCH_TEST_SECRET";

/// The forms in which an outside system could show it.
fn forms() -> [(&'static str, String); 6] {
    let json = serde_json::to_string(SECRET).unwrap();
    let percent: String = SECRET.bytes().map(|byte| format!("%{byte:02X}")).collect();
    // Only what has to be is encoded, by whoever does as little as possible.
    let lazy: String = SECRET
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    assert_ne!(percent, lazy);
    [
        ("raw", SECRET.to_owned()),
        ("json", json.trim_matches('"').to_owned()),
        ("debug", format!("{SECRET:?}").trim_matches('"').to_owned()),
        ("percent", lazy),
        ("base64", STANDARD.encode(SECRET)),
        ("base64 of URLs", URL_SAFE_NO_PAD.encode(SECRET)),
    ]
}

fn message(what: &str) -> String {
    let forms: Vec<String> = forms().into_iter().map(|(_, form)| form).collect();
    format!("{what}: {}", forms.join(" and "))
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Chained {
    message: String,
    #[source]
    source: BoxError,
}

#[task(retries = 1)]
async fn log_in(password: &Secret) -> Result<(), Chained> {
    assert_eq!(password.expose(), SECRET);
    tracing::error!("{}", message("logged"));
    Err(Chained {
        message: message("refused"),
        source: message("because").into(),
    })
}

#[task(retries = 1)]
fn crash(_password: &Secret) -> u32 {
    panic!("{}", message("panicked"));
}

#[task(name = "query {query}")]
async fn ask(query: String) -> Result<u32, String> {
    Err(query)
}

#[task]
async fn length(ctx: &TaskContext, password: &Secret) -> anyhow::Result<usize> {
    let key = message("remembered");
    ctx.step(key, async || Ok(password.expose().len())).await
}

/// Its address holds the password, as addresses do.
struct Database;

impl CacheIdentity for Database {
    fn cache_identity(&self) -> String {
        format!("db://user:{SECRET}@localhost")
    }
}

#[task(cache)]
async fn count(_database: Resource<Database>) -> u32 {
    7
}

#[flow]
async fn leak(password: Secret) -> anyhow::Result<usize> {
    let password = &password;
    assert_eq!(*count().await?, 7);
    let length = *length(password.clone()).await?;
    let named = length::with()
        .name(message("named"))
        .submit(password.clone());
    assert_eq!(*named.await?, length);
    let grouped = orch_core::group(message("grouped"), || async {
        Err::<u32, _>(message("failed in the group").into())
    });
    assert!(grouped.await.is_err());
    assert!(log_in(password.clone()).await.is_err());
    assert!(crash(password.clone()).await.is_err());
    assert!(ask(message("asked")).await.is_err());
    let error = log_in(password.clone()).await.unwrap_err();
    Err(anyhow::Error::from(error).context(message("in the flow")))
}

#[flow]
async fn break_down(password: Secret) -> anyhow::Result<u32> {
    panic!("{} {}", message("the flow panicked"), password.expose());
}

#[test]
fn program() {
    let Some((_, folder)) = role() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let password = Secret::from_env(VARIABLE).unwrap();
        let engine = Engine::builder().resource(Database);
        let engine = engine.open(folder.join("store")).unwrap();
        let run = leak(password.clone())
            .key("k")
            .name(message("run"))
            .tag(message("tag"))
            .start(&engine)
            .unwrap();
        let id = run.id();
        assert!(run.await.is_err());
        let run = break_down(password.clone())
            .key("k")
            .start(&engine)
            .unwrap();
        assert!(run.await.is_err());
        // Read again from where it comes from.
        let resumed = engine.resume(id).unwrap();
        assert!(resumed.await.is_err());
        say("done");
    });
}

#[tokio::test]
async fn is_not_in_the_folder_in_any_form() {
    let folder = Folder::new("secrets");
    let mut program = folder.program_with("leak", &[(VARIABLE, SECRET)]);
    program.hear_that("done");
    program.end();

    let rows = folder.rows().await;
    assert_eq!(rows.len(), 2);
    let (run, task_runs) = rows.iter().find(|(run, _)| run.flow == "leak").unwrap();
    let parameter = &run.parameters.as_ref().unwrap()[0];
    assert_eq!(parameter.shown, format!("env:{VARIABLE}"));
    assert!(run.error.as_ref().unwrap().causes.len() >= 2);
    assert_eq!(run.resumptions, 1);
    let hidden = task_runs.iter().filter(|row| {
        row.error
            .as_ref()
            .is_some_and(|error| format!("{error:?}").contains("[secret]"))
    });
    assert!(hidden.count() >= 4, "{task_runs:?}");

    let files = folder.files(".");
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for (name, form) in forms() {
            let at = bytes
                .windows(form.len())
                .position(|part| part == form.as_bytes());
            if let Some(at) = at {
                let from = at.saturating_sub(200);
                let around = String::from_utf8_lossy(&bytes[from..(at + 100).min(bytes.len())]);
                panic!("{} has the secret ({name}): {around}", file.display());
            }
        }
    }
}
