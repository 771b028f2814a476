//! The relay's own TLS: a certificate and its key from files, read again when they change.
//!
//! Connections that are open keep the certificate they began with. Files that cannot be read, or do not belong together, leave
//! the one before in place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::{self, ServerConfig};

/// Time between two looks at the files.
const LOOK: Duration = Duration::from_secs(10);

/// Why files are of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file that cannot be read as PEM.
    #[error("cannot read {} as PEM", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// A certificate and a key that do not belong together, or that no client would accept.
    #[error("the certificate and its key cannot be used")]
    Unfit(#[source] rustls::Error),
}

/// The certificate in use.
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<TlsAcceptor>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(crate) fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(read(certificate, key)?),
        })
    }

    /// Returns what accepts connections now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again whenever they change, until `stop` becomes true.
    pub(crate) async fn follow(&self, mut stop: watch::Receiver<bool>) {
        let mut seen = self.changed();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            self.look(&mut seen);
        }
    }

    /// Reads the files again if they are others than those `seen`.
    fn look(&self, seen: &mut Option<[SystemTime; 2]>) {
        let now = self.changed();
        if now == *seen || now.is_none() {
            return;
        }
        match read(&self.certificate, &self.key) {
            Ok(acceptor) => {
                let current = self.current.write();
                *current.unwrap_or_else(PoisonError::into_inner) = acceptor;
                *seen = now;
                tracing::info!("uses the new certificate");
            }
            // Half of them may be written: looked at again soon.
            Err(error) => tracing::warn!(%error, "keeps the certificate it has"),
        }
    }

    fn changed(&self) -> Option<[SystemTime; 2]> {
        let changed = |path: &Path| -> io::Result<SystemTime> { path.metadata()?.modified() };
        Some([changed(&self.certificate).ok()?, changed(&self.key).ok()?])
    }
}

fn read(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(failed(key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let builder = builder.with_no_client_auth();
            builder.with_single_cert(chain, key)
        })
        .map_err(TlsError::Unfit)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::*;
    use crate::server::{How, serve};
    use crate::testing::Bench;

    /// A certificate in files, and what a client needs to believe it.
    struct Files {
        folder: tempfile::TempDir,
        written: u64,
    }

    impl Files {
        fn paths(&self) -> [PathBuf; 2] {
            ["cert.pem", "key.pem"].map(|name| self.folder.path().join(name))
        }

        /// Writes another certificate, whose files are newer than those before, and returns it.
        fn renew(&mut self) -> CertificateDer<'static> {
            let names = vec!["relay.test".to_owned()];
            let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
            let [certificate, key] = self.paths();
            std::fs::write(&certificate, cert.pem()).unwrap();
            std::fs::write(&key, signing_key.serialize_pem()).unwrap();
            self.touch();
            cert.der().clone()
        }

        fn touch(&mut self) {
            self.written += 1;
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + self.written);
            for path in self.paths() {
                let file = File::options().append(true).open(path).unwrap();
                file.set_modified(time).unwrap();
            }
        }
    }

    /// Asks for the health of a relay that has the certificate, and returns the answer; none if it has another.
    async fn ask(
        address: std::net::SocketAddr,
        certificate: &CertificateDer<'static>,
        protocol: &[u8],
    ) -> Option<String> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let name = "relay.test".try_into().unwrap();
        let mut stream = connector.connect(name, stream).await.ok()?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        let request = b"GET /healthz HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    #[tokio::test]
    async fn a_new_certificate_is_used_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files { folder, written: 0 };
        let first = files.renew();
        let [certificate, key] = files.paths();
        let tls = Arc::new(Tls::open(&certificate, &key).unwrap());
        let mut seen = tls.changed();
        let bench = Bench::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let how = How {
            tls: Some(Arc::clone(&tls)),
            ..How::default()
        };
        let stop = bench.stop.subscribe();
        let server = tokio::spawn(serve(listener, bench.router.clone(), how, stop));
        let answer = ask(address, &first, b"http/1.1").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

        let second = files.renew();
        tls.look(&mut seen);
        assert!(ask(address, &first, b"http/1.1").await.is_none());
        assert!(ask(address, &second, b"http/1.1").await.is_some());

        std::fs::write(&key, "no key").unwrap();
        files.touch();
        tls.look(&mut seen);
        assert!(ask(address, &second, b"http/1.1").await.is_some());
        let broken = Tls::open(&certificate, &key).err().unwrap();
        assert!(matches!(broken, TlsError::File { path, .. } if path == key));
        let third = files.renew();
        tls.look(&mut seen);
        assert!(ask(address, &third, b"http/1.1").await.is_some());
        bench.stop.send_replace(true);
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_key_of_another_certificate_is_refused() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, other] = folders.map(|folder| {
            let mut files = Files { folder, written: 0 };
            files.renew();
            files
        });
        let error = Tls::open(&one.paths()[0], &other.paths()[1]).err().unwrap();
        assert!(matches!(error, TlsError::Unfit(_)));
    }
}
