//! Files from HTTP servers.

mod retry_after;
#[cfg(feature = "https")]
mod tls;

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

use crate::downloading::{Arriving, DownloadOptions, Downloaded, Taking};
use crate::error::MlError;
use crate::loading::{CsvOptions, parse_csv_of};
use crate::table::Table;

/// Bytes taken from the connection in one go.
const PIECE: usize = 64 * 1024;

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
    let mut file = Arriving::at(path)?;
    let downloaded = fetch(url, options, &mut |bytes| file.write(bytes))?;
    file.finish()?;
    Ok(downloaded)
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
    let mut taking = Taking::new(shown(url), options)?;
    let timeout = Some(options.timeout);
    let config = Agent::config_builder();
    #[cfg(feature = "https")]
    let config = match &options.root_certificates {
        Some(path) => config.tls_config(tls::trusting(path)?),
        None => config,
    };
    let agent: Agent = config
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
    if let Some(n_bytes) = answer.body().content_length() {
        taking.check_size(n_bytes)?;
    }
    let mut reader = answer.body_mut().as_reader();
    let mut piece = vec![0; PIECE];
    loop {
        let n_read = reader
            .read(&mut piece)
            .map_err(|error| http_failed(url, ureq::Error::Io(error)))?;
        if n_read == 0 {
            break;
        }
        taking.take(&piece[..n_read])?;
        take(&piece[..n_read])?;
    }
    taking.finish()
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
    // A certificate that is not trusted comes as data that is not valid.
    let is_invalid =
        matches!(&error, ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData);
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
        may_pass: !is_final && !is_invalid,
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
