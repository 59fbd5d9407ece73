//! What this host counts and times, for Prometheus. Counting costs a lock of a map and an atomic addition; nothing is written anywhere.
//!
//! Labels are bounded: routes are patterns, methods those of the standard, outcomes the codes of errors, and of extensions that ran the first
//! thousand have series of their own, the others share one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Extensions with series of their own.
const MAX_EXTENSIONS: usize = 1_000;
/// Where the series of all others go.
const OTHERS: &str = "others";
/// The outcome of a call that ended well.
const OK: &str = "ok";

/// Bounds of histograms in seconds: from a call that only computes to one that runs into its limit.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    extension: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    extension: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    extension: String,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct In {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

/// What is seen at one moment instead of being counted.
#[derive(Debug, Default)]
pub struct Moment {
    /// Workers by what they do: `busy`, `idle`, `blank`.
    pub workers: [(&'static str, usize); 3],
    /// Bytes that the workers hold.
    pub worker_memory: u64,
    /// Calls on workers.
    pub calls: usize,
    /// Deliveries to action hooks by state. Empty where the database doesn't say.
    pub deliveries: Vec<(String, u64)>,
    /// Connections to the database server, `open` and `idle`. None on SQLite.
    pub connections: Option<(u32, usize)>,
    /// Whether the database answers.
    pub database_up: bool,
}

/// The counters of a host.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    request_times: Family<Route, Histogram, fn() -> Histogram>,
    under_way: Gauge,
    calls: Family<Ended, Counter>,
    call_times: Family<Of, Histogram, fn() -> Histogram>,
    names: Family<Named, Gauge>,
    workers: Family<In, Gauge>,
    worker_memory: Gauge,
    calls_running: Gauge,
    deliveries: Family<In, Gauge>,
    connections: Family<In, Gauge>,
    database_up: Gauge,
    resident: Gauge,
    cpu: Gauge<f64, std::sync::atomic::AtomicU64>,
    /// Name and outcomes of the extensions that have series, by id: what is to be taken away with them. Short sections only: a std mutex.
    extensions: Mutex<HashMap<String, Extension>>,
}

#[derive(Default)]
struct Extension {
    name: String,
    outcomes: Vec<&'static str>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        let constructor: fn() -> Histogram = histogram;
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_times: Family::new_with_constructor(constructor),
            under_way: Gauge::default(),
            calls: Family::default(),
            call_times: Family::new_with_constructor(constructor),
            names: Family::default(),
            workers: Family::default(),
            worker_memory: Gauge::default(),
            calls_running: Gauge::default(),
            deliveries: Family::default(),
            connections: Family::default(),
            database_up: Gauge::default(),
            resident: Gauge::default(),
            cpu: Gauge::default(),
            extensions: Mutex::default(),
        };
        let process = metrics.registry.sub_registry_with_prefix("process");
        process.register_with_unit("resident_memory", "Memory of the host without its workers", Unit::Bytes, metrics.resident.clone());
        process.register_with_unit("cpu", "Processor time of the host without its workers", Unit::Seconds, metrics.cpu.clone());
        let own = metrics.registry.sub_registry_with_prefix("trellis");
        let build = Family::<Version, Gauge>::default();
        build.get_or_create(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
        own.register("build", "The version that runs; always 1", build);
        own.register("http_requests", "Requests that were answered", metrics.requests.clone());
        own.register_with_unit(
            "http_request",
            "From the head of a request to the head of its answer",
            Unit::Seconds,
            metrics.request_times.clone(),
        );
        own.register("http_requests_under_way", "Requests that aren't answered yet", metrics.under_way.clone());
        own.register("extension_calls", "Calls of extensions by how they ended: ok or the code of the error", metrics.calls.clone());
        own.register_with_unit("extension_call", "Time of calls of extensions", Unit::Seconds, metrics.call_times.clone());
        own.register("extension_name", "What people call an extension; always 1", metrics.names.clone());
        own.register("extension_calls_running", "Calls of extensions on workers", metrics.calls_running.clone());
        own.register("workers", "Worker processes by what they do", metrics.workers.clone());
        own.register_with_unit("workers_memory", "Memory of all workers", Unit::Bytes, metrics.worker_memory.clone());
        own.register("deliveries", "Deliveries to action hooks, of all hosts, by state", metrics.deliveries.clone());
        own.register("database_connections", "Connections to the database server", metrics.connections.clone());
        own.register("database_up", "1 where the database answers", metrics.database_up.clone());
        metrics
    }
}

/// A request that is being answered. Dropping it, as when the client goes away, takes it off the count.
pub struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// A request came.
    pub fn begun(&self) -> UnderWay {
        self.under_way.inc();
        UnderWay(self.under_way.clone())
    }

    /// A request was answered. `route` is the pattern of the path, `None` where no route has it.
    pub fn answered(&self, method: &str, route: Option<&str>, status: u16, took: Duration) {
        let (method, route) = (standard(method), route.unwrap_or("none").to_owned());
        self.requests.get_or_create(&Answered { method, route: route.clone(), status }).inc();
        self.request_times.get_or_create(&Route { method, route }).observe(took.as_secs_f64());
    }

    /// A call of an extension ended, well or with the code of an error.
    pub fn called(&self, id: &str, name: &str, took: Duration, error: Option<&'static str>) {
        let outcome = error.unwrap_or(OK);
        // Held until the series are there, so that what is forgotten meanwhile doesn't come back.
        let mut known = self.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = known.len() < MAX_EXTENSIONS;
        let extension = match known.get_mut(id) {
            Some(extension) => Some(extension),
            None if has_room => Some(known.entry(id.to_owned()).or_default()),
            None => None,
        };
        let label = match extension {
            Some(extension) => {
                if extension.name != name {
                    self.names.remove(&Named { extension: id.to_owned(), name: std::mem::replace(&mut extension.name, name.to_owned()) });
                    self.names.get_or_create(&Named { extension: id.to_owned(), name: name.to_owned() }).set(1);
                }
                if !extension.outcomes.contains(&outcome) {
                    extension.outcomes.push(outcome);
                }
                id
            }
            None => OTHERS,
        };
        self.calls.get_or_create(&Ended { extension: label.to_owned(), outcome }).inc();
        self.call_times.get_or_create(&Of { extension: label.to_owned() }).observe(took.as_secs_f64());
    }

    /// An extension is gone, and its series with it.
    pub fn forget(&self, id: &str) {
        let mut known = self.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(extension) = known.remove(id) else { return };
        self.names.remove(&Named { extension: id.to_owned(), name: extension.name });
        self.call_times.remove(&Of { extension: id.to_owned() });
        for outcome in extension.outcomes {
            self.calls.remove(&Ended { extension: id.to_owned(), outcome });
        }
    }

    /// Everything in the text format of OpenMetrics.
    ///
    /// # Errors
    /// Never in practice: a text has room.
    pub fn text(&self, moment: &Moment) -> Result<String, fmt::Error> {
        let state = |family: &Family<In, Gauge>, state: &str, count: i64| {
            family.get_or_create(&In { state: state.to_owned() }).set(count);
        };
        for (name, count) in moment.workers {
            state(&self.workers, name, whole(count as u64));
        }
        for (name, count) in &moment.deliveries {
            state(&self.deliveries, name, whole(*count));
        }
        if let Some((open, idle)) = moment.connections {
            state(&self.connections, "open", i64::from(open));
            state(&self.connections, "idle", whole(idle as u64));
        }
        self.worker_memory.set(whole(moment.worker_memory));
        self.calls_running.set(whole(moment.calls as u64));
        self.database_up.set(i64::from(moment.database_up));
        let (resident, cpu) = process();
        self.resident.set(whole(resident));
        self.cpu.set(cpu);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A method of the standard: a caller may send any word for one.
fn standard(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "SEARCH", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

/// Resident bytes and processor seconds of this process, as Linux tells them; zeros where nobody does.
fn process() -> (u64, f64) {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let status = read("status");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    // The name in parentheses may hold anything, the second parenthesis too. The 12th and 13th field behind it are hundredths of seconds.
    let stat = read("stat");
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let hundredths: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    (resident.unwrap_or_default() * 1024, hundredths as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_beyond_the_first_thousand_share_a_series_and_those_that_go_make_room() {
        let metrics = Metrics::default();
        for n in 0..=MAX_EXTENSIONS {
            metrics.called(&format!("e{n}"), "name", Duration::from_millis(3), None);
        }
        let text = metrics.text(&Moment::default()).expect("a text");
        assert!(text.contains("trellis_extension_calls_total{extension=\"others\",outcome=\"ok\"} 1\n"), "{text}");
        assert_eq!(text.matches("trellis_extension_calls_total{").count(), MAX_EXTENSIONS + 1);
        metrics.called("e0", "renamed", Duration::from_secs(9), Some("EXTENSION_TIMEOUT"));
        let text = metrics.text(&Moment::default()).expect("a text");
        assert!(text.contains("trellis_extension_name{extension=\"e0\",name=\"renamed\"} 1\n"));
        assert!(!text.contains("trellis_extension_name{extension=\"e0\",name=\"name\"}"));
        metrics.forget("e0");
        metrics.called("late", "name", Duration::ZERO, None);
        let text = metrics.text(&Moment::default()).expect("a text");
        assert!(!text.contains("\"e0\""));
        assert!(text.contains("trellis_extension_calls_total{extension=\"late\",outcome=\"ok\"} 1\n"));
    }

    #[test]
    fn the_name_of_an_extension_stays_in_its_place() {
        let metrics = Metrics::default();
        metrics.called("e", "a\"} 1\ntrellis_database_up 1\n\\", Duration::ZERO, None);
        let text = metrics.text(&Moment::default()).expect("a text");
        assert!(text.contains("{extension=\"e\",name=\"a\\\"} 1\\ntrellis_database_up 1\\n\\\\\"} 1\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("trellis_database_up ")).collect::<Vec<_>>(), ["trellis_database_up 0"]);
    }

    #[test]
    fn words_of_callers_become_no_labels() {
        let metrics = Metrics::default();
        metrics.answered("XYZZY", None, 405, Duration::from_millis(1));
        metrics.answered("GET", Some("/api/items/{collection}"), 200, Duration::from_millis(1));
        let text = metrics.text(&Moment::default()).expect("a text");
        assert!(text.contains("trellis_http_requests_total{method=\"other\",route=\"none\",status=\"405\"} 1\n"), "{text}");
        assert!(
            text.contains("trellis_http_request_seconds_bucket{le=\"0.001\",method=\"GET\",route=\"/api/items/{collection}\"} 1\n"),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
    }
}
