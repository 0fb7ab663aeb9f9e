//! Files from HTTP servers.

mod checksum;
mod retry_after;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::http::Response;
use ureq::{Agent, Body};

pub use self::checksum::Checksum;
use self::checksum::Hashing;
use crate::error::MlError;
use crate::loading::{CsvOptions, parse_csv_of};
use crate::table::Table;

/// Bytes taken from the connection in one go.
const PIECE: usize = 64 * 1024;

/// How a file is downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadOptions {
    /// What the bytes have to be. Default: anything.
    pub checksum: Option<Checksum>,
    /// The most bytes to take. Default: 1 GiB.
    pub max_bytes: u64,
    /// How long to wait for the connection, for the answer, and for each next piece of it. Default: a
    /// minute. There is no limit for the whole: set the `timeout` of the task for that.
    pub timeout: Duration,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            checksum: None,
            max_bytes: 1 << 30,
            timeout: Duration::from_secs(60),
        }
    }
}

impl DownloadOptions {
    /// The default options for bytes that have to be these.
    pub fn of(checksum: Checksum) -> Self {
        Self {
            checksum: Some(checksum),
            ..Self::default()
        }
    }
}

/// What was downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downloaded {
    /// Number of bytes.
    pub n_bytes: u64,
    /// Their BLAKE3 hash, as 64 hexadecimal digits.
    pub blake3: String,
}

/// Downloads a file by HTTP, with `GET`, to a path. A file that is there is replaced once all bytes
/// have come and are what they have to be; until then they are in a temporary file beside it.
///
/// Up to ten redirects are followed. `https://` needs the feature `https`. A proxy is taken from the
/// environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
///
/// # Errors
/// [`MlError::HttpStatus`] for an answer that is no success, [`MlError::HttpFailed`] for none, or one
/// that ends too early; [`MlError::DownloadTooLarge`]; [`MlError::ChecksumMismatch`];
/// [`MlError::WriteFile`]; [`MlError::InvalidOption`] for a checksum that is none. Messages leave out
/// what of the address may be secret: user, password, and all behind `?`.
///
/// A task tries again after what may pass: a connection that fails, and the statuses 408, 425, 429 and
/// 500 on, not before the time that `Retry-After` names, if it does. After other statuses, such as
/// 404, it does not.
///
/// # Examples
/// ```no_run
/// use orch_ml::{Checksum, DownloadOptions, download};
///
/// let sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
/// let options = DownloadOptions::of(Checksum::Sha256(sha256.to_owned()));
/// let file = download("http://example.org/sales.csv", "sales.csv".as_ref(), &options)?;
/// println!("{} bytes", file.n_bytes);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn download(url: &str, path: &Path, options: &DownloadOptions) -> Result<Downloaded, MlError> {
    let failed = |source| MlError::WriteFile {
        path: path.to_path_buf(),
        source,
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = temporary_file(folder).map_err(failed)?;
    let downloaded = fetch(url, options, &mut |bytes| {
        file.write_all(bytes).map_err(failed)
    })?;
    file.as_file().sync_all().map_err(failed)?;
    let persisted = file.persist(path);
    persisted
        .map(|_: File| downloaded)
        .map_err(|error| failed(error.error))
}

/// A file that may be read by those who may read files made otherwise, other than temporary files.
fn temporary_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Downloads a CSV file and parses it, as [`read_csv`](crate::read_csv) does; it is held in memory
/// meanwhile, and messages name it by its address.
///
/// # Errors
/// As [`download`], but for those of writing, and [`read_csv`](crate::read_csv), but for those of
/// reading.
pub fn read_csv_url(
    url: &str,
    options: &DownloadOptions,
    csv: &CsvOptions,
) -> Result<Table, MlError> {
    let mut bytes = Vec::new();
    fetch(url, options, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    parse_csv_of(&bytes, Path::new(&shown(url)), csv)
}

/// Hands the bytes at an address over, piece by piece.
fn fetch(
    url: &str,
    options: &DownloadOptions,
    take: &mut dyn FnMut(&[u8]) -> Result<(), MlError>,
) -> Result<Downloaded, MlError> {
    let mut hashing = Hashing::new(options.checksum.as_ref())?;
    let timeout = Some(options.timeout);
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(timeout)
        .timeout_recv_response(timeout)
        .timeout_per_read(timeout)
        .build()
        .into();
    let answer = agent.get(url).call();
    let mut answer = answer.map_err(|error| http_failed(url, error))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(MlError::HttpStatus {
            url: shown(url),
            status: status.as_u16(),
            retry_after: retry_after_of(&answer),
        });
    }
    let too_large = || MlError::DownloadTooLarge {
        url: shown(url),
        max_bytes: options.max_bytes,
    };
    if answer
        .body()
        .content_length()
        .is_some_and(|n_bytes| n_bytes > options.max_bytes)
    {
        return Err(too_large());
    }
    let mut reader = answer.body_mut().as_reader();
    let mut piece = vec![0; PIECE];
    let mut n_bytes = 0;
    loop {
        let n_read = reader
            .read(&mut piece)
            .map_err(|error| http_failed(url, ureq::Error::Io(error)))?;
        if n_read == 0 {
            break;
        }
        n_bytes += n_read as u64;
        if n_bytes > options.max_bytes {
            return Err(too_large());
        }
        hashing.update(&piece[..n_read]);
        take(&piece[..n_read])?;
    }
    let blake3 = hashing.finish(&shown(url))?;
    Ok(Downloaded { n_bytes, blake3 })
}

/// The time that `Retry-After` names, as it is from now on.
fn retry_after_of(answer: &Response<Body>) -> Option<Duration> {
    let header = |name| answer.headers().get(name)?.to_str().ok();
    retry_after::parse(header("retry-after")?, header("date"))
}

fn http_failed(url: &str, error: ureq::Error) -> MlError {
    use ureq::Error::{
        BadUri, BodyExceedsLimit, Http, InvalidProxyUrl, RedirectFailed, RequireHttpsOnly, Tls,
        TlsRequired, TooManyRedirects,
    };
    let is_final = matches!(
        error,
        BadUri(_)
            | BodyExceedsLimit(_)
            | Http(_)
            | InvalidProxyUrl
            | RedirectFailed
            | RequireHttpsOnly(_)
            | Tls(_)
            | TlsRequired
            | TooManyRedirects
    );
    MlError::HttpFailed {
        url: shown(url),
        may_pass: !is_final,
        source: Box::new(error),
    }
}

/// An address without what may be secret: user, password, query and fragment.
fn shown(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (address, rest) = url.split_at(end);
    let more = if rest.is_empty() { "" } else { "?…" };
    let (scheme, address) = address.split_once("://").unwrap_or(("", address));
    let host_end = address.find('/').unwrap_or(address.len());
    let host_start = address[..host_end].rfind('@').map_or(0, |at| at + 1);
    let gap = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{gap}{}{more}", &address[host_start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_secrets() {
        for (url, expected) in [
            ("http://a.org/b.csv", "http://a.org/b.csv"),
            (
                "http://ann:pass@a.org:80/b.csv?token=x#y",
                "http://a.org:80/b.csv?…",
            ),
            ("https://a.org?key=1", "https://a.org?…"),
            ("http://a.org/mail@b.csv", "http://a.org/mail@b.csv"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
