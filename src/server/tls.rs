//! TLS on the server's port: its certificate, and the certificates that clients must show.

use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use crate::error::{Error, Result};

/// The PEM files of a server.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Its certificate, with those between it and the authority.
    pub certificate: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
    /// The authority of the certificates that clients must show; `None`: they need none.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Puts TLS on a port.
    ///
    /// # Errors
    /// Files that cannot be read, or are no PEM files of certificates and a key that belong together.
    pub fn put_on(&self, port: Server) -> Result<Server> {
        let certificate = read("--tls-cert", &self.certificate)?;
        let key = read("--tls-key", &self.key)?;
        let mut config = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        if let Some(path) = &self.client_ca {
            let authority = read("--tls-client-ca", path)?;
            config = config.client_ca_root(Certificate::from_pem(authority));
        }
        port.tls_config(config).map_err(|e| {
            let cause = std::error::Error::source(&e).map(ToString::to_string);
            let clients = self.client_ca.iter().map(|path| path.display().to_string());
            Error::usage(format!(
                "no TLS with the certificate {} and the key {}{}: {}",
                self.certificate.display(),
                self.key.display(),
                clients.fold(String::new(), |all, ca| all + " and the authority " + &ca),
                cause.unwrap_or_else(|| e.to_string())
            ))
            .with_help("they must be PEM files, and the key must be that of the certificate")
        })
    }
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| {
        Error::usage(format!("{flag}: cannot read {}: {e}", path.display()))
            .with_help("name a PEM file that the server may read")
    })
}
