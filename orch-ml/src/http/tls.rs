//! Whom connections over HTTPS trust.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::MlError;
use crate::loading::read_bytes;

/// Settings that trust the certificates of a file alone.
pub(super) fn trusting(path: &Path) -> Result<TlsConfig, MlError> {
    let refused = || MlError::InvalidOption {
        name: "root_certificates",
        value: format!("`{}`", path.display()),
        expected: "a file of certificates in PEM",
    };
    let text = read_bytes(path)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(refused()),
        }
    }
    if certificates.is_empty() {
        return Err(refused());
    }
    let roots = RootCerts::Specific(Arc::new(certificates));
    Ok(TlsConfig::builder().root_certs(roots).build())
}
