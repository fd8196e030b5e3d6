//! The metrics of a server and its jobs as a page that Prometheus reads. Counters count from the last start of a job.

use std::sync::atomic::Ordering::Relaxed;

use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, Opts, Registry, TextEncoder};

use super::job::{Job, State};
use super::jobs::Jobs;
use super::pipeline::Planned;
use crate::error::{Error, Result};

/// What kind of text the page is.
pub const CONTENT: &str = prometheus::TEXT_FORMAT;

/// The page; `now`: the clock in milliseconds.
///
/// # Errors
/// A metric is written down wrongly (a bug).
pub fn page(jobs: &Jobs, now: i64) -> Result<String> {
    let registry = Registry::new();
    let metrics = Metrics::new(&registry).map_err(wrong)?;
    let all = jobs.all();
    for state in State::ALL {
        let count = all.iter().filter(|job| job.status().state == state);
        let states = metrics.jobs.with_label_values(&[state.name()]);
        states.set(count.count() as f64);
    }
    for job in &all {
        metrics.add(job, now);
    }
    let mut text = String::new();
    let encoded = TextEncoder::new().encode_utf8(&registry.gather(), &mut text);
    encoded.map_err(wrong)?;
    Ok(text)
}

fn wrong(error: prometheus::Error) -> Error {
    Error::internal("the metrics cannot be shown").caused_by(error)
}

const JOB: &[&str] = &["job"];
const TABLE: &[&str] = &["job", "table"];
const PARTITION: &[&str] = &["job", "table", "partition"];
const OPERATOR: &[&str] = &["job", "operator", "kind", "statement"];

/// All that there are.
struct Metrics {
    jobs: GaugeVec,
    restarts: CounterVec,
    source_rows: CounterVec,
    source_bytes: CounterVec,
    bad_rows: CounterVec,
    ahead_rows: CounterVec,
    sink_rows: CounterVec,
    rows_in: CounterVec,
    rows_out: CounterVec,
    late_rows: CounterVec,
    busy: CounterVec,
    backpressured: CounterVec,
    operator_lag: GaugeVec,
    watermark_lag: GaugeVec,
    event_lag: GaugeVec,
    idle: GaugeVec,
    held_back: GaugeVec,
    kafka_lag: GaugeVec,
    checkpoints: CounterVec,
    checkpoint_retries: CounterVec,
    checkpoint_seconds: CounterVec,
    checkpoint_written: CounterVec,
    last_duration: GaugeVec,
    last_size: GaugeVec,
    last_written: GaugeVec,
    last_time: GaugeVec,
}

impl Metrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            added(registry, CounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            added(registry, GaugeVec::new(Opts::new(name, help), labels)?)
        };
        Ok(Self {
            jobs: gauge("flowline_jobs", "Jobs by state.", &["state"])?,
            restarts: counter(
                "flowline_job_restarts_total",
                "Restarts after failures.",
                JOB,
            )?,
            source_rows: counter("flowline_source_rows_total", "Rows read.", TABLE)?,
            source_bytes: counter("flowline_source_bytes_total", "Bytes read.", TABLE)?,
            bad_rows: counter(
                "flowline_source_bad_rows_total",
                "Records or fields that could not be decoded.",
                TABLE,
            )?,
            ahead_rows: counter(
                "flowline_source_ahead_rows_total",
                "Rows too far ahead of the clock to move the watermark.",
                TABLE,
            )?,
            sink_rows: counter("flowline_sink_rows_total", "Rows written.", TABLE)?,
            rows_in: counter(
                "flowline_operator_rows_in_total",
                "Rows taken by an operator.",
                OPERATOR,
            )?,
            rows_out: counter(
                "flowline_operator_rows_out_total",
                "Rows emitted by an operator.",
                OPERATOR,
            )?,
            late_rows: counter(
                "flowline_operator_late_rows_total",
                "Rows left out by an operator because they were late.",
                OPERATOR,
            )?,
            busy: counter(
                "flowline_operator_busy_seconds_total",
                "Time that the task of an operator worked, over its instances.",
                OPERATOR,
            )?,
            backpressured: counter(
                "flowline_operator_backpressured_seconds_total",
                "Time that the task of an operator waited for those after it, over its instances.",
                OPERATOR,
            )?,
            operator_lag: gauge(
                "flowline_operator_watermark_lag_seconds",
                "How far the watermark of an operator is behind the clock.",
                OPERATOR,
            )?,
            watermark_lag: gauge(
                "flowline_source_watermark_lag_seconds",
                "How far the watermark of a partition is behind the clock.",
                PARTITION,
            )?,
            event_lag: gauge(
                "flowline_source_event_time_lag_seconds",
                "How far the time of the last row of a partition is behind the clock.",
                PARTITION,
            )?,
            idle: gauge(
                "flowline_source_idle",
                "1 where the watermark does not wait for a partition because it is quiet.",
                PARTITION,
            )?,
            held_back: gauge(
                "flowline_source_held_back_seconds",
                "For how long a partition has held back the watermark of its table; 0: it does not.",
                PARTITION,
            )?,
            kafka_lag: gauge(
                "flowline_kafka_lag_records",
                "Records of a partition that are not read yet.",
                &["job", "table", "topic", "partition"],
            )?,
            checkpoints: counter("flowline_checkpoints_total", "Checkpoints completed.", JOB)?,
            checkpoint_retries: counter(
                "flowline_checkpoint_retries_total",
                "How often storing a checkpoint had to be tried again.",
                JOB,
            )?,
            checkpoint_seconds: counter(
                "flowline_checkpoint_seconds_total",
                "Time from the barriers to the commits of all checkpoints.",
                JOB,
            )?,
            checkpoint_written: counter(
                "flowline_checkpoint_written_bytes_total",
                "Bytes of state that checkpoints wrote.",
                JOB,
            )?,
            last_duration: gauge(
                "flowline_checkpoint_last_duration_seconds",
                "Time from the barrier to the commit of the last checkpoint.",
                JOB,
            )?,
            last_size: gauge(
                "flowline_checkpoint_last_size_bytes",
                "Bytes of state that the last checkpoint refers to.",
                JOB,
            )?,
            last_written: gauge(
                "flowline_checkpoint_last_written_bytes",
                "Bytes of state that the last checkpoint wrote.",
                JOB,
            )?,
            last_time: gauge(
                "flowline_checkpoint_last_timestamp_seconds",
                "When the last checkpoint was committed, in seconds since 1970.",
                JOB,
            )?,
        })
    }

    fn add(&self, job: &Job, now: i64) {
        let name = job.name.as_str();
        let restarts = self.restarts.with_label_values(&[name]);
        restarts.inc_by(f64::from(job.status().restarts));
        let Some(planned) = job.planned() else {
            return;
        };
        self.add_operators(name, &planned, now);
        self.add_sources(name, &planned, now);
        for sink in planned.sinks() {
            let rows = self.sink_rows.with_label_values(&[name, &sink.table]);
            rows.inc_by(sink.rows as f64);
        }
        let made = &planned.metrics.checkpoints;
        let count = |vec: &CounterVec, value: f64| vec.with_label_values(&[name]).inc_by(value);
        count(&self.checkpoints, made.completed.load(Relaxed) as f64);
        count(&self.checkpoint_retries, made.retries.load(Relaxed) as f64);
        count(
            &self.checkpoint_seconds,
            made.total_millis.load(Relaxed) as f64 / 1e3,
        );
        count(
            &self.checkpoint_written,
            made.total_bytes.load(Relaxed) as f64,
        );
        if made.completed.load(Relaxed) > 0 {
            let set = |vec: &GaugeVec, value: f64| vec.with_label_values(&[name]).set(value);
            set(&self.last_duration, made.millis.load(Relaxed) as f64 / 1e3);
            set(&self.last_size, made.bytes.load(Relaxed) as f64);
            set(&self.last_written, made.new_bytes.load(Relaxed) as f64);
            set(&self.last_time, made.finished.load(Relaxed) as f64 / 1e3);
        }
    }

    fn add_operators(&self, job: &str, planned: &Planned, now: i64) {
        for operator in planned.operators() {
            let id = operator.id.to_string();
            let labels = [job, &id, operator.kind, &operator.statement];
            let count = |vec: &CounterVec, value: f64| {
                vec.with_label_values(&labels).inc_by(value);
            };
            if let Some(rows) = operator.rows_in {
                count(&self.rows_in, rows as f64);
            }
            if let Some(rows) = operator.rows_out {
                count(&self.rows_out, rows as f64);
            }
            count(&self.late_rows, operator.late_rows as f64);
            count(&self.busy, operator.spent.busy.as_secs_f64());
            count(
                &self.backpressured,
                operator.spent.backpressured.as_secs_f64(),
            );
            if let Some(watermark) = operator.watermark {
                let lag = self.operator_lag.with_label_values(&labels);
                lag.set(seconds_behind(now, watermark));
            }
        }
    }

    /// Tables that are read twice, with other settings, count together.
    fn add_sources(&self, job: &str, planned: &Planned, now: i64) {
        for source in planned.sources() {
            let table = source.table.as_str();
            let metrics = &source.metrics;
            for (vec, counter) in [
                (&self.source_rows, &metrics.rows),
                (&self.source_bytes, &metrics.bytes),
                (&self.bad_rows, &metrics.bad_rows),
                (&self.ahead_rows, &metrics.ahead_rows),
            ] {
                let counted = vec.with_label_values(&[job, table]);
                counted.inc_by(counter.load(Relaxed) as f64);
            }
            for partition in &source.partitions {
                let labels = [job, table, &*partition.name];
                let time = &partition.time;
                let set = |vec: &GaugeVec, value: f64| vec.with_label_values(&labels).set(value);
                if let Some(watermark) = time.watermark {
                    set(&self.watermark_lag, seconds_behind(now, watermark));
                }
                if let Some(last) = time.last_event {
                    set(&self.event_lag, seconds_behind(now, last));
                }
                set(&self.idle, f64::from(u8::from(time.is_idle)));
                let held = partition.held_since.map(|since| seconds_behind(now, since));
                set(&self.held_back, held.unwrap_or(0.0));
            }
            for offsets in &source.offsets {
                if let Some(lag) = offsets.lag() {
                    let partition = offsets.partition.to_string();
                    let labels = [job, table, &*offsets.topic, &partition];
                    self.kafka_lag.with_label_values(&labels).set(lag as f64);
                }
            }
        }
    }
}

fn added<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn seconds_behind(now: i64, time: i64) -> f64 {
    now.saturating_sub(time) as f64 / 1e3
}
