//! What the relay counts, as Prometheus reads it: kinds of requests, never whose or about what.
//!
//! Source: OpenMetrics 1.0, as `prometheus-client` writes it.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The media type of the text.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds by which answers are counted: from what a commit takes to what a client no longer waits for.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];

/// A kind of request and of its answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Answered {
    method: String,
    /// The path's pattern; empty for paths that there are not.
    path: String,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Asked {
    path: String,
}

/// The counters.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram>,
    connections: Gauge,
    subscribers: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("ebb_relay"),
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            connections: Gauge::default(),
            subscribers: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Requests answered, by method, path and status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "answer",
            "Time until the head of the answer, by path",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register(
            "connections",
            "Connections that are open",
            metrics.connections.clone(),
        );
        registry.register(
            "event_streams",
            "Event streams that are open",
            metrics.subscribers.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// Counts a request that is answered.
    pub(crate) fn count(&self, method: &str, path: &str, status: u16, time: Duration) {
        // A method is whatever a client makes up.
        let known = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"];
        let method = if known.contains(&method) {
            method
        } else {
            "other"
        };
        let answered = Answered {
            method: method.to_owned(),
            path: path.to_owned(),
            status,
        };
        self.requests.get_or_create(&answered).inc();
        let asked = Asked {
            path: path.to_owned(),
        };
        let seconds = self.seconds.get_or_create(&asked);
        seconds.observe(time.as_secs_f64());
    }

    /// Counts a connection until the answer is dropped.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Of the formatter; there is none that could fail.
    pub(crate) fn text(&self, subscribers: usize) -> Result<String, std::fmt::Error> {
        let subscribers = i64::try_from(subscribers).unwrap_or(i64::MAX);
        self.subscribers.set(subscribers);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A connection that is open.
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_written() {
        let metrics = Metrics::default();
        metrics.count("GET", "/healthz", 200, Duration::from_millis(3));
        metrics.count("GET", "/healthz", 200, Duration::from_millis(30));
        metrics.count("BREW", "", 404, Duration::from_secs(60));
        let open = metrics.connected();
        let text = metrics.text(7).unwrap();
        for line in [
            "ebb_relay_requests_total{method=\"GET\",path=\"/healthz\",status=\"200\"} 2",
            "ebb_relay_requests_total{method=\"other\",path=\"\",status=\"404\"} 1",
            "ebb_relay_answer_seconds_bucket{le=\"0.005\",path=\"/healthz\"} 1",
            "ebb_relay_answer_seconds_count{path=\"/healthz\"} 2",
            "ebb_relay_connections 1",
            "ebb_relay_event_streams 7",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        drop(open);
        assert!(
            metrics
                .text(0)
                .unwrap()
                .contains("ebb_relay_connections 0\n")
        );
    }
}
