//! The origins under which this relay may be asked.
//!
//! A proof names the relay it is for, so that one relay cannot pass a request on to another. Where the relay's keeper
//! names its origins, exactly these count. Else the relay believes the `Host` it was asked under, which protects only as
//! far as whoever sends the request chooses it: a hostile relay can forward a request with the `Host` it was signed for,
//! if that is this relay's. Naming the origin closes that, and is right for every relay that others can reach.

use axum::http::{Uri, header, request::Parts};

/// Which origins count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origins {
    /// These.
    Named(Vec<String>),
    /// The one the request was sent to; and on a loopback address any loopback origin, since people put proxies and
    /// tunnels in between.
    Asked {
        /// Whether the relay listens on a loopback address.
        loopback: bool,
    },
}

impl Origins {
    /// Returns whether a request may be signed for `origin`.
    pub(super) fn accept(&self, origin: &str, parts: &Parts) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|name| name == origin),
            Self::Asked { loopback } => {
                let asked = asked(parts).is_some_and(|host| same_host(origin, host));
                asked || (*loopback && is_loopback(origin))
            }
        }
    }

    /// Returns whether `origin` is this relay's, as far as it can know: one of its names, or, without names, the origin
    /// for which a request was signed that it accepted.
    pub(super) fn is_own(&self, origin: &str, accepted: &str) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|name| name == origin),
            Self::Asked { .. } => origin == accepted,
        }
    }
}

/// Returns the host that the request was sent to, with its port where it names one.
fn asked(parts: &Parts) -> Option<&str> {
    // HTTP/2 has it in the URI, HTTP/1 in a header.
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(header::HOST)?.to_str().ok(),
    }
}

fn same_host(origin: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let without = |port: &str| host.strip_suffix(port).unwrap_or(&host).to_owned();
    match (
        origin.strip_prefix("https://"),
        origin.strip_prefix("http://"),
    ) {
        (Some(named), _) => named == host || named == without(":443"),
        (_, Some(named)) => named == host || named == without(":80"),
        (None, None) => false,
    }
}

/// Returns whether an origin is of this very machine, whatever its port.
fn is_loopback(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let Some(host) = uri.host() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(host: &str) -> Parts {
        let request = axum::http::Request::builder().header(header::HOST, host);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn named_origins_count_whatever_the_host() {
        let origins = Origins::Named(vec!["https://relay.example".to_owned()]);
        assert!(origins.accept("https://relay.example", &parts("inner:8787")));
        assert!(!origins.accept("http://relay.example", &parts("relay.example")));
        assert!(!origins.accept("https://other.example", &parts("other.example")));
        assert!(!origins.accept("http://127.0.0.1:1", &parts("127.0.0.1:1")));
    }

    #[test]
    fn without_names_the_host_counts() {
        let origins = Origins::Asked { loopback: false };
        assert!(origins.accept("https://relay.example", &parts("Relay.Example")));
        assert!(origins.accept("https://relay.example", &parts("relay.example:443")));
        assert!(origins.accept("http://relay.example:81", &parts("relay.example:81")));
        assert!(!origins.accept("https://evil.example", &parts("relay.example")));
        assert!(!origins.accept("http://127.0.0.1:1", &parts("relay.example")));
    }

    #[test]
    fn an_origin_is_its_own_by_name_or_by_the_request_accepted() {
        let named = Origins::Named(vec!["https://a".to_owned(), "http://b".to_owned()]);
        assert!(named.is_own("http://b", "https://a"));
        assert!(!named.is_own("https://c", "https://c"));
        let asked = Origins::Asked { loopback: true };
        assert!(asked.is_own("http://127.0.0.1:1", "http://127.0.0.1:1"));
        assert!(!asked.is_own("http://127.0.0.1:1", "http://127.0.0.1:2"));
    }

    #[test]
    fn on_loopback_any_loopback_origin_counts() {
        let origins = Origins::Asked { loopback: true };
        for origin in [
            "http://127.0.0.1:9",
            "http://localhost:9",
            "http://[::1]:9",
            "http://127.8.0.1",
        ] {
            assert!(origins.accept(origin, &parts("127.0.0.1:8787")), "{origin}");
        }
        for origin in [
            "http://127.0.0.1.example",
            "http://10.0.0.1:9",
            "http://localhost.example",
        ] {
            assert!(
                !origins.accept(origin, &parts("127.0.0.1:8787")),
                "{origin}"
            );
        }
    }
}
