//! CloudEvents to try pipelines with: incidents, bursts, disorder, NULLs and gaps, the same for the same seed.
//!
//! Events come in the order in which they arrive; each was made some time before. Most are up to 2 seconds late, some up to
//! 9, few more than 10 (the usual bound of disorder) and a handful many minutes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use chrono::{DateTime, Datelike};

/// The kinds of event each source sends.
const SOURCES: [(&str, &[&str]); 5] = [
    (
        "github",
        &[
            "push",
            "pull_request.opened",
            "pull_request.merged",
            "deployment.started",
            "deployment.finished",
        ],
    ),
    (
        "kubernetes",
        &[
            "pod.started",
            "pod.crashloop",
            "node.notready",
            "hpa.scaled",
            "pod.oomkilled",
        ],
    ),
    (
        "datadog",
        &[
            "monitor.alert",
            "monitor.recovered",
            "metric.anomaly",
            "synthetic.failed",
        ],
    ),
    (
        "pagerduty",
        &[
            "incident.triggered",
            "incident.acknowledged",
            "incident.resolved",
        ],
    ),
    (
        "jenkins",
        &[
            "build.started",
            "build.succeeded",
            "build.failed",
            "build.aborted",
        ],
    ),
];
const JENKINS: usize = 4;
/// Of 100 events, how many come from each source.
const SHARES: [u32; 5] = [30, 30, 20, 8, 12];
const CATEGORIES: [&str; 5] = [
    "deployment",
    "infrastructure",
    "monitoring",
    "incident",
    "ci",
];
const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];
/// What a subject ends with; two need care in JSON.
const PARTS: [&str; 5] = ["api", "worker", "db", "café", "a\\\"b\\\\c"];
const CODES: [u32; 3] = [200, 404, 500];

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WINDOW: i64 = 5 * MINUTE;
/// Quiet times come back with this period.
const PERIOD: i64 = 6 * HOUR;
/// When in a period nothing at all is sent.
const GAP: std::ops::Range<i64> = 216 * MINUTE..228 * MINUTE;
/// When in a period jenkins sends nothing.
const SILENCE: std::ops::Range<i64> = HOUR..2 * HOUR;

/// What decides the events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The same seed gives the same events.
    pub seed: u64,
    /// Event time of the first, in milliseconds since the epoch.
    pub start: i64,
    /// Events in a second of event time, on average outside incidents (more than 0).
    pub per_second: f64,
}

/// An endless stream of events.
#[derive(Debug)]
pub struct Generator {
    settings: Settings,
    rng: fastrand::Rng,
    /// Event time of the last event made, in microseconds since the start. Those to come are not older.
    clock: u64,
    made: u64,
    /// Made but not arrived: the next to arrive first.
    waiting: BinaryHeap<Reverse<Event>>,
    incidents: VecDeque<Incident>,
    last_incident: i64,
    incident_count: u64,
    day: (i64, String),
}

/// Ordered by arrival, then by the order of making.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    arrival: i64,
    index: u64,
    time: i64,
    source: usize,
    severity: usize,
    incident: Option<u64>,
    /// Decides the rest.
    salt: u64,
}

/// A time in which one source fails and others feel it.
#[derive(Debug, Clone)]
struct Incident {
    from: i64,
    to: i64,
    source: usize,
    number: u64,
    /// Whether it brings critical events, not only errors.
    is_critical: bool,
}

impl Generator {
    /// A stream from its beginning.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            rng: fastrand::Rng::with_seed(settings.seed),
            clock: 0,
            made: 0,
            waiting: BinaryHeap::new(),
            incidents: VecDeque::new(),
            last_incident: settings.start - 20 * MINUTE,
            incident_count: 0,
            day: (i64::MIN, String::new()),
        }
    }

    /// When the next event arrives, in milliseconds since the epoch.
    pub fn next_arrival(&mut self) -> i64 {
        loop {
            if let Some(Reverse(first)) = self.waiting.peek()
                && first.arrival <= self.now()
            {
                return first.arrival;
            }
            let event = self.make();
            self.waiting.push(Reverse(event));
        }
    }

    /// Appends the next event to `out`, as one line of JSON without its end. Returns its number, from 0 in the order of making.
    pub fn write_next(&mut self, out: &mut Vec<u8>) -> u64 {
        self.next_arrival();
        match self.waiting.pop() {
            Some(Reverse(event)) => {
                self.write(&event, out);
                event.index
            }
            None => 0,
        }
    }

    fn now(&self) -> i64 {
        self.settings.start + millis(self.clock)
    }

    fn make(&mut self) -> Event {
        let mean = (1_000_000.0 / self.settings.per_second.max(1e-3)) as u64;
        let before = self.now();
        self.schedule_incidents(before);
        let is_busy = self
            .incidents
            .iter()
            .any(|i| (i.from..i.to).contains(&before));
        let gap = self.rng.u64(0..=2 * mean.max(1));
        self.clock += if is_busy { gap / 2 } else { gap };
        let since = millis(self.clock) % PERIOD;
        if GAP.contains(&since) {
            self.clock += micros(GAP.end - since);
        }
        // Some of the first events in a window are exactly on its edge.
        let edge = self.now().div_euclid(WINDOW) * WINDOW;
        if edge > before && self.rng.bool() {
            self.clock = micros(edge - self.settings.start);
        }
        let time = self.now();
        self.schedule_incidents(time);
        let incidents: Vec<Incident> = self
            .incidents
            .iter()
            .filter(|i| (i.from..i.to).contains(&time))
            .cloned()
            .collect();
        let source = self.source(time, incidents.first());
        let severity = self.severity(time, source, &incidents);
        let incident = incidents
            .first()
            .filter(|_| self.rng.u32(0..100) < 60)
            .map(|i| i.number);
        let arrival = time + self.delay();
        let index = self.made;
        self.made += 1;
        Event {
            arrival,
            index,
            time,
            source,
            severity,
            incident,
            salt: self.rng.u64(..),
        }
    }

    /// Incidents begin 30 to 50 minutes after one another and last 3 to 9 minutes.
    fn schedule_incidents(&mut self, now: i64) {
        while self.last_incident <= now {
            let from = self.last_incident + self.rng.i64(30..=50) * MINUTE;
            self.incidents.push_back(Incident {
                from,
                to: from + self.rng.i64(3..=9) * MINUTE,
                source: self.rng.usize(..SOURCES.len()),
                number: self.incident_count,
                is_critical: self.rng.bool(),
            });
            self.incident_count += 1;
            self.last_incident = from;
        }
        while self.incidents.front().is_some_and(|i| i.to <= now) {
            self.incidents.pop_front();
        }
    }

    fn source(&mut self, time: i64, incident: Option<&Incident>) -> usize {
        // The source that fails has more to say than at other times.
        if let Some(incident) = incident
            && self.rng.u32(0..100) < 30
        {
            return incident.source;
        }
        let is_silent = SILENCE.contains(&((time - self.settings.start) % PERIOD));
        loop {
            let source = pick(self.rng.u32(0..100), &SHARES);
            if source != JENKINS || !is_silent {
                return source;
            }
        }
    }

    fn severity(&mut self, time: i64, source: usize, incidents: &[Incident]) -> usize {
        // One window in seven has no errors at all.
        let window = time.div_euclid(WINDOW) - self.settings.start.div_euclid(WINDOW);
        let mut weights = if window % 7 == 3 {
            [0, 0, 500]
        } else {
            [1, 400, 1_600]
        };
        if let Some(incident) = incidents.iter().find(|i| i.source == source) {
            weights = if incident.is_critical {
                [800, 5_500, 2_000]
            } else {
                [0, 6_000, 2_000]
            };
        }
        pick(self.rng.u32(0..10_000), &weights)
    }

    /// How long an event is under way.
    fn delay(&mut self) -> i64 {
        match self.rng.u32(0..1_000) {
            0..850 => self.rng.i64(0..2 * SECOND),
            850..990 => self.rng.i64(2 * SECOND..9 * SECOND),
            990..998 => self.rng.i64(10 * SECOND..MINUTE),
            _ => self.rng.i64(2 * MINUTE..15 * MINUTE),
        }
    }

    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        let mut rng = fastrand::Rng::with_seed(event.salt);
        let (source, kinds) = SOURCES[event.source];
        text(out, "{\"id\":\"evt-");
        number(out, event.index, 8);
        text(out, "\",\"specversion\":\"1.0\",\"type\":\"");
        text(out, source);
        out.push(b'.');
        text(out, kinds[rng.usize(..kinds.len())]);
        // One in a thousand does not say where it comes from, two do not say how bad it is.
        let is_odd = rng.u32(0..1_000);
        if is_odd == 0 {
            text(out, "\",\"source\":null,\"time\":\"");
        } else {
            text(out, "\",\"source\":\"");
            text(out, source);
            text(out, "\",\"time\":\"");
        }
        self.write_time(event.time, out);
        if matches!(is_odd, 1 | 2) {
            text(out, "\",\"severity\":null");
        } else {
            text(out, "\",\"severity\":\"");
            text(out, SEVERITIES[event.severity]);
            out.push(b'"');
        }
        text(out, ",\"category\":\"");
        text(out, CATEGORIES[rng.usize(..CATEGORIES.len())]);
        out.push(b'"');
        match event.incident {
            Some(incident) => {
                text(out, ",\"correlation_id\":\"corr-inc-");
                number(out, incident, 4);
                out.push(b'"');
            }
            None => match rng.u32(0..100) {
                // What belongs together is made within a short time.
                0..15 => {
                    text(out, ",\"correlation_id\":\"corr-");
                    number(out, event.index / 40 + rng.u64(0..3), 6);
                    out.push(b'"');
                }
                15..57 => text(out, ",\"correlation_id\":null"),
                _ => {}
            },
        }
        text(out, ",\"subject\":\"svc-");
        number(out, rng.u64(0..40), 1);
        out.push(b'/');
        text(out, PARTS[rng.usize(..PARTS.len())]);
        text(out, "\",\"data\":\"");
        if rng.u32(0..100) >= 3 {
            text(out, "{\\\"duration_ms\\\":");
            number(out, rng.u64(1..60_000), 1);
            text(
                out,
                if event.severity >= 2 {
                    ",\\\"ok\\\":true"
                } else {
                    ",\\\"ok\\\":false"
                },
            );
            text(out, ",\\\"repo\\\":\\\"org/repo-");
            number(out, rng.u64(0..20), 1);
            text(out, "\\\",\\\"nested\\\":{\\\"code\\\":");
            number(out, u64::from(CODES[rng.usize(..CODES.len())]), 1);
            text(out, "}}");
        }
        text(out, "\"}");
    }

    /// RFC 3339 with milliseconds, in UTC.
    fn write_time(&mut self, time: i64, out: &mut Vec<u8>) {
        let day = time.div_euclid(DAY);
        if day != self.day.0 {
            let date = DateTime::from_timestamp_millis(time).unwrap_or_default();
            self.day = (
                day,
                format!("{:04}-{:02}-{:02}T", date.year(), date.month(), date.day()),
            );
        }
        text(out, &self.day.1);
        let of_day = time.rem_euclid(DAY);
        for (part, digits, end) in [
            (of_day / HOUR, 2, b':'),
            (of_day / MINUTE % 60, 2, b':'),
            (of_day / SECOND % 60, 2, b'.'),
            (of_day % SECOND, 3, b'Z'),
        ] {
            number(out, part.unsigned_abs(), digits);
            out.push(end);
        }
    }
}

fn millis(micros: u64) -> i64 {
    i64::try_from(micros / 1_000).unwrap_or(i64::MAX / 2)
}

fn micros(millis: i64) -> u64 {
    millis.unsigned_abs().saturating_mul(1_000)
}

/// The index of the weight that `drawn` falls into; after all of them, the next index.
fn pick(drawn: u32, weights: &[u32]) -> usize {
    let mut sum = 0;
    for (i, weight) in weights.iter().enumerate() {
        sum += weight;
        if drawn < sum {
            return i;
        }
    }
    weights.len()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// A number with at least `digits` digits.
fn number(out: &mut Vec<u8>, mut value: u64, digits: usize) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    while value > 0 || buffer.len() - at < digits.clamp(1, 20) {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&buffer[at..]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::Value;

    const START: i64 = 1_736_899_200_000; // 2025-01-15T00:00:00Z

    fn lines(seed: u64, start: i64, n: usize) -> Vec<String> {
        let mut generator = Generator::new(Settings {
            seed,
            start,
            per_second: 2.0,
        });
        (0..n)
            .map(|_| {
                let mut line = Vec::new();
                generator.write_next(&mut line);
                String::from_utf8(line).unwrap()
            })
            .collect()
    }

    fn time(event: &Value) -> i64 {
        DateTime::parse_from_rfc3339(event["time"].as_str().unwrap())
            .unwrap()
            .timestamp_millis()
    }

    #[test]
    fn the_seed_alone_decides() {
        assert_eq!(lines(7, START, 5_000), lines(7, START, 5_000));
        assert_ne!(lines(7, START, 5), lines(8, START, 5));
    }

    #[test]
    fn events_are_json_with_the_fields_of_cloudevents() {
        let events: Vec<Value> = lines(1, START, 20_000)
            .iter()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let first = events[0].as_object().unwrap();
        for field in [
            "id",
            "specversion",
            "type",
            "source",
            "time",
            "severity",
            "category",
            "subject",
            "data",
        ] {
            assert!(first.contains_key(field), "{field}");
        }
        let ids: std::collections::HashSet<&str> =
            events.iter().map(|e| e["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), events.len());
        assert!(events.iter().any(|e| e["severity"].is_null()));
        assert!(events.iter().any(|e| e["source"].is_null()));
        assert!(
            events
                .iter()
                .any(|e| e.get("correlation_id").is_some_and(Value::is_null))
        );
        assert!(events.iter().any(|e| e.get("correlation_id").is_none()));
        assert!(
            events
                .iter()
                .any(|e| e["subject"].as_str().unwrap().ends_with("a\"b\\c"))
        );
        assert!(events.iter().any(|e| time(e) % WINDOW == 0));
        assert!(
            events
                .iter()
                .all(|e| e["time"].as_str().unwrap().len() == 24)
        );
    }

    #[test]
    fn disorder_stays_mostly_within_ten_seconds() {
        let events: Vec<Value> = lines(3, START, 30_000)
            .iter()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let mut newest = START;
        let (mut behind, mut late) = (0, 0);
        for event in &events {
            let time = time(event);
            behind += usize::from(time < newest);
            late += usize::from(time < newest - 10 * SECOND);
            newest = newest.max(time);
        }
        assert!(behind > 10_000, "{behind} of 30000 are out of order");
        assert!((50..600).contains(&late), "{late} of 30000 are late");
    }

    #[test]
    fn incidents_raise_errors_in_one_source_and_share_a_correlation_id() {
        let events: Vec<Value> = lines(5, START, 60_000)
            .iter()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let of_incident = |e: &&Value| {
            e["correlation_id"]
                .as_str()
                .is_some_and(|c| c == "corr-inc-0002")
        };
        let members: Vec<&Value> = events.iter().filter(of_incident).collect();
        assert!(members.len() > 50, "{}", members.len());
        let sources: std::collections::HashSet<&str> = members
            .iter()
            .filter_map(|e| e["source"].as_str())
            .collect();
        assert!(sources.len() > 2);
        let errors = members
            .iter()
            .filter(|e| matches!(e["severity"].as_str(), Some("error" | "critical")))
            .count();
        assert!(
            errors * 5 > members.len(),
            "{errors} errors of {}",
            members.len()
        );
    }

    #[test]
    fn times_before_1970_and_the_quiet_gap() {
        let first: Value = serde_json::from_str(&lines(1, -DAY, 1)[0]).unwrap();
        assert!(
            first["time"]
                .as_str()
                .unwrap()
                .starts_with("1969-12-31T00:00:0")
        );
        let times: Vec<i64> = lines(1, START, 40_000)
            .iter()
            .map(|l| time(&serde_json::from_str(l).unwrap()) - START)
            .collect();
        assert!(times.iter().any(|t| *t > GAP.end));
        assert!(!times.iter().any(|t| (GAP.start..GAP.end).contains(t)));
    }
}
