//! Downloads from a server on this machine that gives prepared answers.

#![cfg(feature = "http")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use orch_core::{ClassifyRetry, Retry};
use orch_ml::{
    Checksum, CsvOptions, DownloadOptions, Downloaded, MlError, download, parse_csv, read_csv_url,
    tasks,
};

const CSV: &str = "x,y\n1,2.5\n2,3.5\n";
/// What `b3sum` and `sha256sum` print of these bytes.
const BLAKE3: &str = "cae42bb5066407fc8a52634bdf3929bd83e92adc50adb14a6dc06d4c8b7c1a6d";
const SHA256: &str = "876da57e3ce325ee716adaed7bc3950a0b6623b4e0fd76bcc60a2ca1872a86b9";

/// A server that gives each of these answers to one connection, and then ends.
struct Server {
    address: String,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                asked.push(lines.next().unwrap().unwrap());
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                // The client may have hung up: it knows by the length that this is too much.
                let _ = stream.write_all(&answer);
            }
            asked
        });
        Self { address, thread }
    }

    /// The first lines of what was asked.
    fn asked(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn options() -> DownloadOptions {
    DownloadOptions::default()
}

/// What comes of an answer.
fn downloaded(
    answers: Vec<Vec<u8>>,
    options: &DownloadOptions,
    to: &Path,
) -> Result<Downloaded, MlError> {
    let server = Server::start(answers);
    let result = download(&format!("{}/a.csv", server.address), to, options);
    server.asked();
    result
}

fn fails(answer: Vec<u8>, options: &DownloadOptions) -> MlError {
    let folder = tempfile::tempdir().unwrap();
    let error = downloaded(vec![answer], options, &folder.path().join("a.csv")).unwrap_err();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind: {error}");
    error
}

#[test]
fn a_file_is_downloaded_and_replaces_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, "before").unwrap();
    for checksum in [
        None,
        Some(Checksum::Blake3(BLAKE3.to_owned())),
        Some(Checksum::Sha256(SHA256.to_uppercase())),
    ] {
        let options = DownloadOptions {
            checksum,
            max_bytes: CSV.len() as u64,
            ..options()
        };
        let found = downloaded(vec![answer("200 OK", "", CSV)], &options, &file).unwrap();
        assert_eq!((found.n_bytes, found.blake3.as_str()), (16, BLAKE3));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), CSV);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn an_answer_in_chunks_and_a_redirect_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                  4\r\nx,y\n\r\nc\r\n1,2.5\n2,3.5\n\r\n0\r\n\r\n";
    let moved = answer("302 Found", "Location: /b.csv\r\n", "");
    let server = Server::start(vec![moved, chunks.as_bytes().to_vec()]);
    let url = format!("{}/a.csv?token=x", server.address);
    download(&url, &file, &options()).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), CSV);
    assert_eq!(
        server.asked(),
        ["GET /a.csv?token=x HTTP/1.1", "GET /b.csv HTTP/1.1"]
    );
}

#[test]
fn statuses_say_whether_to_try_again_and_when() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let until = "Retry-After: Sun, 06 Nov 1994 08:51:07 GMT\r\n";
    for (status, headers, expected) in [
        ("404 Not Found", String::new(), Retry::Never),
        (
            "404 Not Found",
            "Retry-After: 5\r\n".to_owned(),
            Retry::Never,
        ),
        ("401 Unauthorized", String::new(), Retry::Never),
        ("410 Gone", String::new(), Retry::Never),
        (
            "429 Too Many",
            "Retry-After: 7\r\n".to_owned(),
            Retry::After(Duration::from_secs(7)),
        ),
        ("429 Too Many", String::new(), Retry::Default),
        (
            "429 Too Many",
            "Retry-After: soon\r\n".to_owned(),
            Retry::Default,
        ),
        (
            "503 Busy",
            format!("{date}{until}"),
            Retry::After(Duration::from_secs(90)),
        ),
        ("500 Oops", String::new(), Retry::Default),
        ("502 Bad Gateway", String::new(), Retry::Default),
        ("408 Request Timeout", String::new(), Retry::Default),
    ] {
        let error = fails(answer(status, &headers, "no"), &options());
        assert_eq!(error.classify(1), expected, "{status} {headers}");
        let (number, _) = status.split_once(' ').unwrap();
        let text = error.to_string();
        assert!(
            text.ends_with(&format!("/a.csv` answers with HTTP status {number}")),
            "{text}"
        );
    }
}

#[test]
fn connections_that_fail_are_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // Nobody listens there any more.
    let error = download(&format!("http://{port}/a"), &file, &options()).unwrap_err();
    assert!(matches!(error, MlError::HttpFailed { .. }), "{error}");
    assert_eq!(error.classify(1), Retry::Default);

    let whole = answer("200 OK", "", CSV);
    let cut_off = whole[..whole.len() - 3].to_vec();
    for broken in [cut_off, Vec::new(), b"SSH-2.0-x\r\n\r\n".to_vec()] {
        let error = fails(broken, &options());
        assert!(matches!(error, MlError::HttpFailed { .. }), "{error}");
        assert_eq!(error.classify(1), Retry::Default);
    }
    // TLS that is not built in is none that may come.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let https = format!("https://{}/a", listener.local_addr().unwrap());
    let https = (!cfg!(feature = "https")).then_some(https.as_str());
    for wrong in ["nonsense", "ftp://127.0.0.1/a", "http://"]
        .into_iter()
        .chain(https)
    {
        let error = download(wrong, &file, &options()).unwrap_err();
        assert_eq!(error.classify(1), Retry::Never, "{wrong}: {error}");
    }
}

#[test]
fn bytes_that_are_not_those_expected_are_refused() {
    let blake3 = Checksum::Blake3("0".repeat(64));
    let sha256 = Checksum::Sha256("0".repeat(64));
    for (checksum, found) in [(blake3, BLAKE3), (sha256, SHA256)] {
        let error = fails(answer("200 OK", "", CSV), &DownloadOptions::of(checksum));
        let zeros = "0".repeat(64);
        let expected = format!("have the checksum {found}, expected {zeros}");
        assert!(error.to_string().ends_with(&expected), "{error}");
        assert_eq!(error.classify(1), Retry::Never);
    }
    // Nobody is asked: nobody listens.
    let none = DownloadOptions::of(Checksum::Sha256("abc".to_owned()));
    let error = download("http://127.0.0.1:1/a", "a".as_ref(), &none).unwrap_err();
    assert!(matches!(error, MlError::InvalidOption { .. }), "{error}");
}

#[test]
fn no_more_bytes_are_taken_than_allowed() {
    let few = DownloadOptions {
        max_bytes: 15,
        ..options()
    };
    // One that says its length, and one that does not.
    let open = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{CSV}").into_bytes();
    for long in [answer("200 OK", "", CSV), open] {
        let error = fails(long, &few);
        assert!(
            error.to_string().ends_with("has more than 15 bytes"),
            "{error}"
        );
        assert_eq!(error.classify(1), Retry::Never);
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let to = Path::new("no/such/folder/a.csv");
    let error = download("http://127.0.0.1:1/a", to, &options()).unwrap_err();
    assert!(matches!(error, MlError::WriteFile { .. }), "{error}");
}

#[test]
fn csv_is_parsed_as_it_comes_and_messages_name_the_address() {
    let server = Server::start(vec![
        answer("200 OK", "", CSV),
        answer("200 OK", "", "x,y\n1\n"),
        answer("200 OK", "", CSV),
    ]);
    let url = format!("{}/a.csv?key=secret", server.address);
    let csv = CsvOptions::default();
    let expected = parse_csv(CSV.as_bytes(), &csv).unwrap();
    assert_eq!(read_csv_url(&url, &options(), &csv).unwrap(), expected);
    let error = read_csv_url(&url, &options(), &csv)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("/a.csv?…` line 2 has 1 cells, expected 2"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");

    let checksum = Checksum::Sha256(SHA256.to_owned());
    let table = tasks::load_csv_url::call(&url, checksum, csv).unwrap();
    assert_eq!(table, expected);
    assert_eq!(server.asked().len(), 3);
}
