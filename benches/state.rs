//! How much state each numbered file keeps after N events and after 100 times as many: rows and bytes of a snapshot taken
//! before the end of the input. Where state is bounded, it must not grow.
//!
//! `cargo bench --bench state`: takes some minutes and writes the table of BENCHMARKS.md to stdout. EVENTS=10000 sets N.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use flowline::catalog::Table;
use flowline::connectors::Sink;
use flowline::runtime::{Connect, Simulation, simulate};
use flowline::session::{Session, SessionConfig};
use flowline::sql::SourceFile;

/// What runs together, and the settings with which its state is bounded.
const JOBS: &[Job] = &[
    ("02, windows", &["02_events_aggregated_5min"], &[]),
    (
        "02, 06: LAG per source",
        &["02_events_aggregated_5min", "06_error_rate_trends"],
        &[],
    ),
    (
        "02, 07: trailing windows per source",
        &["02_events_aggregated_5min", "07_error_anomalies"],
        &[],
    ),
    (
        "02, 03: a row a window for ever",
        &["02_events_aggregated_5min", "03_system_health_5min"],
        &[],
    ),
    (
        "02, 03 with a TTL",
        &["02_events_aggregated_5min", "03_system_health_5min"],
        TTL,
    ),
    (
        "02a with a TTL",
        &["02a_events_aggregated_alternative"],
        TTL,
    ),
    (
        "02, 04 with a TTL",
        &["02_events_aggregated_5min", "04_top_error_sources"],
        TTL,
    ),
    ("05 with a TTL", &["05_correlated_incidents"], TTL),
    (
        "02 to 05, 08 with a TTL",
        &[
            "02_events_aggregated_5min",
            "03_system_health_5min",
            "04_top_error_sources",
            "05_correlated_incidents",
            "08_gemini_summary",
        ],
        TTL,
    ),
];

/// Its name, the files, the settings.
type Job = (&'static str, &'static [&'static str], Settings);
type Settings = &'static [(&'static str, &'static str)];

const TTL: Settings = &[("table.exec.state.ttl", "1 h")];

const BATCH_ROWS: usize = 1000;

fn main() {
    let events: usize = std::env::var("EVENTS")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(10_000);
    let dir = std::env::temp_dir().join(format!("flowline-state-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let files = [events, events * 100].map(|n| (n, generate(n, &dir)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    println!(
        "| files | state after {events} events | after {} events | times |",
        events * 100
    );
    println!("|---|---|---|---|");
    for (name, sql, settings) in JOBS {
        let sizes = files
            .each_ref()
            .map(|(n, file)| runtime.block_on(state(sql, settings, *n, file)));
        let shown = sizes.map(|(rows, bytes)| format!("{rows} rows, {} KB", bytes.div_ceil(1024)));
        println!(
            "| {name} | {} | {} | {:.1} |",
            shown[0],
            shown[1],
            sizes[1].0 as f64 / sizes[0].0.max(1) as f64
        );
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn generate(events: usize, dir: &Path) -> PathBuf {
    let file = dir.join(format!("events-{events}.jsonl"));
    let made = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args([
            "generate",
            "--seed",
            "7",
            "--rows",
            &events.to_string(),
            "--to",
        ])
        .arg(&file)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    file
}

/// Rows and bytes of the operators' state once nearly all events are read.
async fn state(
    sql: &[&str],
    settings: &[(&str, &str)],
    events: usize,
    file: &Path,
) -> (usize, usize) {
    let mut session = Session::new(SessionConfig {
        sources: BTreeMap::from([("cloudevents".to_string(), file.to_path_buf())]),
        // Tables go from statement to statement in process, and nothing is kept of them.
        capture: Some(flowline::connectors::capture::Capture::in_memory()),
        parallelism: Some(1),
        batch_rows: BATCH_ROWS,
        ..SessionConfig::default()
    });
    for (key, value) in settings {
        session.settings.set(key, value).unwrap();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    for name in std::iter::once(&"01_source_table_cloudevents").chain(sql) {
        let text = std::fs::read_to_string(folder.join(format!("{name}.sql"))).unwrap();
        session.load(&SourceFile::new(*name, &text)).unwrap();
    }
    let graph = session.graph().unwrap();
    let no_selects =
        |_: &str, _: &Table| -> Arc<dyn Sink> { unreachable!("the files have no SELECT") };
    let connect = session.connect(&no_selects);
    let discarding = Discarding(&connect);
    let simulation = Simulation {
        seed: 1,
        cut_after: Some(events / BATCH_ROWS - 1),
        restore: None,
    };
    let (snapshot, _) = simulate(
        &graph,
        &discarding,
        &session.job_options().unwrap(),
        &simulation,
    )
    .await
    .unwrap();
    let parts = snapshot.unwrap().operators.into_values().flatten();
    parts.fold((0, 0), |(rows, bytes), part| {
        (
            rows + part.rows.num_rows(),
            bytes + part.rows.get_array_memory_size(),
        )
    })
}

/// The ends of a job without its results.
struct Discarding<'a, C>(&'a C);

impl<C: Connect> Connect for Discarding<'_, C> {
    fn source(
        &self,
        source: &flowline::graph::Source,
    ) -> flowline::error::Result<Arc<dyn flowline::connectors::Source>> {
        self.0.source(source)
    }

    fn sink(&self, sink: &flowline::graph::Sink) -> flowline::error::Result<Arc<dyn Sink>> {
        Ok(flowline::connectors::discard(self.0.sink(sink)?.mode()))
    }
}
