//! Files from and to object stores: one in memory, which fails where a test says so.

mod support;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use orch_core::testing::TestEngine;
use orch_core::{ClassifyRetry as _, DataFile, Retry, TaskError, flow};
use orch_ml::object_store::memory::InMemory;
use orch_ml::object_store::path::Path as Location;
use orch_ml::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use orch_ml::{
    Checksum, CsvOptions, DownloadOptions, MlError, ObjectStorage, download_object, tasks,
    upload_object,
};

/// A store in memory that fails the first requests for an object, or never answers one.
#[derive(Debug, Clone, Default)]
struct Flaky {
    store: Arc<InMemory>,
    asked: Arc<AtomicUsize>,
    failures: usize,
    hangs: bool,
    forbids: bool,
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("flaky")
    }
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(
        &self,
        at: &Location,
        what: PutPayload,
        how: PutOptions,
    ) -> Result<PutResult> {
        self.store.put_opts(at, what, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Location,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Location, how: GetOptions) -> Result<GetResult> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        if self.forbids {
            return Err(Error::PermissionDenied {
                path: at.to_string(),
                source: "no".into(),
            });
        }
        if asked < self.failures {
            return Err(Error::Generic {
                store: "flaky",
                source: "429 Too Many Requests".into(),
            });
        }
        self.store.get_opts(at, how).await
    }

    async fn get_ranges(&self, at: &Location, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.store.get_ranges(at, ranges).await
    }

    fn delete_stream(
        &self,
        places: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        self.store.delete_stream(places)
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Location, to: &Location, how: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, how).await
    }
}

const TABLE: &[u8] = b"a,y\n1,2\n2,4\n";

/// As `sha256sum` prints it for these bytes.
const SHA256: &str = "858f11207b80897bc5f4b6f1135831436140c0a4fd3240e6d1335ea21214a7b7";

async fn put(store: &Flaky, at: &str, bytes: &[u8]) {
    let bytes = PutPayload::from(bytes.to_vec());
    store.store.put(&Location::from(at), bytes).await.unwrap();
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().display().to_string())
        .collect()
}

#[tokio::test]
async fn an_object_becomes_a_file_if_it_is_what_it_has_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = (Flaky::default(), folder.path().join("t.csv"));
    put(&store, "sales/may.csv", TABLE).await;
    let storage = ObjectStorage::new(store);
    let get = async |options| download_object(&storage, "sales/may.csv", &path, &options).await;

    let wrong = Checksum::Sha256("0".repeat(64));
    let error = get(DownloadOptions::of(wrong)).await.unwrap_err();
    assert!(matches!(error, MlError::ChecksumMismatch { .. }), "{error}");
    assert!(error.to_string().contains("flaky/sales/may.csv"), "{error}");
    let small = DownloadOptions {
        max_bytes: 5,
        ..DownloadOptions::default()
    };
    let error = get(small).await.unwrap_err();
    assert!(
        matches!(error, MlError::DownloadTooLarge { max_bytes: 5, .. }),
        "{error}"
    );
    assert!(
        files(folder.path()).is_empty(),
        "nothing is left of what was not wanted"
    );

    let right = Checksum::Sha256(SHA256.to_owned());
    let downloaded = get(DownloadOptions::of(right)).await.unwrap();
    assert_eq!(downloaded.n_bytes, TABLE.len() as u64);
    assert_eq!(std::fs::read(&path).unwrap(), TABLE);
    assert_eq!(files(folder.path()), ["t.csv"]);
}

#[tokio::test]
async fn a_file_of_several_parts_becomes_an_object_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (folder.path().join("there"), folder.path().join("back"));
    let bytes: Vec<u8> = (0..12_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&there, &bytes).unwrap();
    let storage = ObjectStorage::new(Flaky::default());
    upload_object(&storage, &there, "models/large")
        .await
        .unwrap();
    let options = DownloadOptions::default();
    let downloaded = download_object(&storage, "models/large", &back, &options)
        .await
        .unwrap();
    assert_eq!(downloaded.n_bytes, 12_000_000);
    assert!(std::fs::read(&back).unwrap() == bytes);

    let missing = upload_object(&storage, &folder.path().join("missing"), "x").await;
    assert!(matches!(missing, Err(MlError::ReadFile { .. })));
    let folder = upload_object(&storage, folder.path(), "x").await;
    assert!(matches!(folder, Err(MlError::NotAFile { .. })));
    let none = storage.store().head(&Location::from("x")).await;
    assert!(matches!(none, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn only_what_may_pass_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let fails = async |store: Flaky, location: &str| {
        let options = DownloadOptions::default();
        let storage = ObjectStorage::new(store);
        download_object(&storage, location, &path, &options)
            .await
            .unwrap_err()
    };
    let error = fails(Flaky::default(), "nowhere").await;
    assert!(matches!(error.classify(1), Retry::Never));
    assert!(error.to_string().contains("flaky/nowhere"), "{error}");
    let error = fails(Flaky::default(), "not//a place").await;
    assert!(matches!(error.classify(1), Retry::Never), "{error}");
    let forbidding = Flaky {
        forbids: true,
        ..Flaky::default()
    };
    assert!(matches!(
        fails(forbidding, "x").await.classify(1),
        Retry::Never
    ));
    let busy = Flaky {
        failures: 1,
        ..Flaky::default()
    };
    assert!(matches!(fails(busy, "x").await.classify(1), Retry::Default));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_says_nothing_is_not_waited_for_forever() {
    let folder = tempfile::tempdir().unwrap();
    let storage = ObjectStorage::new(Flaky {
        hangs: true,
        ..Flaky::default()
    });
    let options = DownloadOptions {
        timeout: Duration::from_secs(30),
        ..DownloadOptions::default()
    };
    let path = folder.path().join("file");
    let error = download_object(&storage, "x", &path, &options)
        .await
        .unwrap_err();
    assert!(matches!(error.classify(1), Retry::Default));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "nothing came for 30s");
}

#[flow]
async fn double(folder: DataFile) -> std::result::Result<usize, TaskError> {
    let path = folder.path().join("in.csv");
    let options = DownloadOptions::default();
    let file = tasks::fetch_object::with()
        .retries(2)
        .submit("sales/may.csv", path, options);
    let table = tasks::load_csv(&file, CsvOptions::default());
    tasks::put_object(&file, "sales/copy.csv").await?;
    Ok(table.await?.n_rows())
}

#[orch_core::test]
async fn a_flow_uses_the_store_of_its_engine() {
    let folder = tempfile::tempdir().unwrap();
    let store = Flaky {
        failures: 2,
        ..Flaky::default()
    };
    put(&store, "sales/may.csv", TABLE).await;
    let engine = TestEngine::new().resource(ObjectStorage::new(store.clone()));
    let run = engine.run(double(folder.path())).await;
    run.assert_completed();
    run.assert_attempts("fetch_object", 3);
    assert_eq!(run.result.unwrap(), 2);
    let copy = store
        .store
        .get(&Location::from("sales/copy.csv"))
        .await
        .unwrap();
    assert_eq!(copy.bytes().await.unwrap(), TABLE);
}
