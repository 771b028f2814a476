//! Where the database is, and who the relay is there. Holds a password: its `Debug` and errors never show it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Time for connecting.
const CONNECT: Duration = Duration::from_secs(5);
/// Time after which a silent connection is tried, and then between tries.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// Time after which a connection is given up that takes nothing.
const USER_TIMEOUT: Duration = Duration::from_secs(15);

/// The address of a database.
#[derive(Clone)]
pub(crate) struct Address(Config);

/// A text that is no such address. What was given is not repeated: it may hold a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum AddressError {
    /// It cannot be read.
    #[error("this is no address of a database such as postgres://USER@HOST:PORT/NAME")]
    Malformed,
    /// It names no host.
    #[error("the address of the database names no host")]
    NoHost,
    /// It asks for TLS.
    #[error("ebb-relay speaks to PostgreSQL without TLS: use a socket, loopback or a tunnel")]
    Tls,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(AddressError::Malformed);
        }
        let mut config: Config = text.parse().map_err(|_| AddressError::Malformed)?;
        if config.get_hosts().is_empty() {
            return Err(AddressError::NoHost);
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(AddressError::Tls);
        }
        config
            .application_name("ebb-relay")
            .connect_timeout(CONNECT)
            .keepalives_idle(KEEPALIVE.0)
            .keepalives_interval(KEEPALIVE.1)
            .keepalives_retries(3)
            .tcp_user_timeout(USER_TIMEOUT);
        Ok(Self(config))
    }
}

impl Address {
    /// Adds a password that stands elsewhere.
    pub(crate) fn with_password(mut self, password: &str) -> Self {
        self.0.password(password);
        self
    }

    /// Returns what a client needs.
    pub(super) fn config(&self) -> &Config {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.0.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<String> = hosts.collect();
        write!(f, "the database {} on ", self.0.get_dbname().unwrap_or(""))?;
        f.write_str(&hosts.join(","))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for address in [
            "postgres://ana:secret@db.example:5433/ebb".parse::<Address>(),
            "postgres://ana@db.example/ebb"
                .parse::<Address>()
                .map(|address| address.with_password("secret")),
        ] {
            let address = address.unwrap();
            assert_eq!(address.to_string(), "the database ebb on db.example");
            assert!(!format!("{address:?}").contains("secret"));
            assert_eq!(address.config().get_password(), Some(b"secret".as_slice()));
        }
        for wrong in [
            "",
            "ana:secret@db",
            "mysql://ana:secret@db/ebb",
            "postgres://ana:secret@db:port/ebb",
            "postgres:///ebb?password=secret",
            "postgres://ana:secret@db/ebb?sslmode=require",
        ] {
            let error = wrong.parse::<Address>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{wrong}");
        }
    }
}
