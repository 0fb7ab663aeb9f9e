//! Downloads over HTTPS, from a server on this machine whose certificate is of an authority of its own.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use orch_core::{ClassifyRetry as _, Retry};
use orch_ml::{CsvOptions, DownloadOptions, MlError, download, read_csv_url};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use support::here;

/// Serves one table to whoever asks; returns the port.
fn serve() -> u16 {
    let certificate = CertificateDer::from_pem_file(here("tests/data/tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(here("tests/data/tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            // A client that does not trust us goes away.
            while stream.read_line(&mut line).is_ok_and(|n_bytes| n_bytes > 0) {
                if line == "\r\n" {
                    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\na,y\n1,2\n";
                    drop(stream.get_mut().write_all(answer.as_bytes()));
                    stream.get_mut().conn.send_close_notify();
                    drop(stream.get_mut().flush());
                    break;
                }
                line.clear();
            }
        }
    });
    port
}

fn trusting(file: &Path) -> DownloadOptions {
    DownloadOptions {
        root_certificates: Some(file.to_path_buf()),
        ..DownloadOptions::default()
    }
}

#[test]
fn a_server_is_trusted_by_the_certificates_that_are_given() {
    let url = format!("https://localhost:{}/sales.csv", serve());
    let options = trusting(&here("tests/data/tls/authority.pem"));
    let table = read_csv_url(&url, &options, &CsvOptions::default()).unwrap();
    assert_eq!((table.n_rows(), table.n_columns()), (1, 2));
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused_for_good() {
    let url = format!("https://localhost:{}/sales.csv", serve());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sales.csv");
    let error = download(&url, &path, &DownloadOptions::default()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("invalid peer certificate"), "{source}");
    assert!(
        matches!(error.classify(1), Retry::Never),
        "{error}: {source}"
    );
    assert!(!path.exists());
}

#[test]
fn a_file_without_certificates_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    let fails = |file: &Path| {
        let csv = CsvOptions::default();
        read_csv_url("https://localhost:1/x", &trusting(file), &csv).unwrap_err()
    };
    assert!(matches!(fails(&file), MlError::ReadFile { .. }));
    std::fs::write(&file, "no certificate").unwrap();
    let error = fails(&file).to_string();
    assert!(error.contains("roots.pem"), "{error}");
    let only_a_key = fails(&here("tests/data/tls/server.key")).to_string();
    assert!(only_a_key.contains("`root_certificates`"), "{only_a_key}");
}
