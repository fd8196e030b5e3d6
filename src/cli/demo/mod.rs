//! `flowline demo`: the pipeline of sql/ over generated events and a Kafka broker in this process, results as they come.

mod board;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::generate::{Events, Generator, Settings, Target};
use super::{args, count, print, signals};
use crate::catalog::Table;
use crate::clock::{Clock as _, SystemClock};
use crate::connectors::kafka::{EmbeddedBroker, Producer};
use crate::error::{Error, Result};
use crate::runtime::{self, JobMetrics};
use crate::session::{BATCH_ROWS, Session, SessionConfig};
use crate::sql::SourceFile;
use board::{Board, Watched};

/// The pipeline, as it stands in sql/.
const FILES: [(&str, &str); 3] = [
    (
        "sql/01_source_table_cloudevents.sql",
        include_str!("../../../sql/01_source_table_cloudevents.sql"),
    ),
    (
        "sql/02_events_aggregated_5min.sql",
        include_str!("../../../sql/02_events_aggregated_5min.sql"),
    ),
    (
        "sql/03_system_health_5min.sql",
        include_str!("../../../sql/03_system_health_5min.sql"),
    ),
];
/// Its topics, each with a number of partitions.
const TOPICS: [(&str, i32); 3] = [
    ("cloudevents", 3),
    ("events_aggregated_5min", 1),
    ("system_health_5min", 1),
];
const WINDOW_SECONDS: f64 = 300.0;
const WINDOW_MILLIS: i64 = 300_000;

/// How the demo goes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End after so many windows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    windows: Option<u32>,
    /// End after so long, such as '1 min'
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
    /// How many times as fast as the clock event time runs
    #[arg(long, value_name = "FACTOR", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    speed: u32,
    /// Events in a second of event time, on average
    #[arg(long, value_name = "R", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    per_second: u32,
    /// The same seed gives the same events
    #[arg(long, value_name = "S", default_value_t = 6)]
    seed: u64,
}

/// Runs the demo.
///
/// # Errors
/// The broker does not start; whatever makes the job fail.
pub async fn run(args: &Args) -> Result<()> {
    let limit = args
        .duration
        .as_deref()
        .map(|text| args::duration("--for", text))
        .transpose()?;
    let mut asked = signals::stop_asked(signals::PATIENCE);
    let broker = EmbeddedBroker::start()?;
    for (topic, partitions) in TOPICS {
        broker.create_topic(topic, partitions)?;
    }
    let session = session(&broker)?;
    let graph = session.graph()?;
    let board = Board::new();
    let nowhere =
        |_: &str, _: &Table| crate::connectors::discard(crate::connectors::SinkMode::Retract);
    let ends = session.connect(&nowhere);
    let watched = Watched {
        ends: &ends,
        board: Arc::clone(&board),
    };
    let options = session.job_options()?;
    let metrics = JobMetrics::of(&graph);
    let clock = Arc::new(SystemClock);
    let job = runtime::start(&graph, &watched, &options, clock, metrics.clone(), &|_| ()).await?;
    let stop = job.stop_handle();
    let start = SystemClock.now().div_euclid(WINDOW_MILLIS) * WINDOW_MILLIS;
    let settings = Settings {
        seed: args.seed,
        start,
        per_second: f64::from(args.per_second),
    };
    let events = Events {
        generator: Generator::new(settings),
        left: u64::MAX,
    };
    let mut target =
        Target::Topic(Producer::connect(broker.bootstrap_servers(), TOPICS[0].0).await?);
    let speed = f64::from(args.speed);
    print(&introduction(&broker, speed))?;
    let generator = tokio::spawn(async move { events.send(&mut target, Some(speed)).await });
    let (abort, mut generator) = (generator.abort_handle(), generator);

    let ended = job.wait();
    tokio::pin!(ended);
    let result = tokio::select! {
        result = &mut ended => Some(result),
        made = &mut generator => Some(made.unwrap_or_else(|e| Err(Error::internal(format!("the generator died: {e}"))))),
        () = signals::asked(&mut asked) => None,
        () = board.complete(args.windows) => None,
        () = board.closed() => None,
        () = after(limit) => None,
    };
    abort.abort();
    let result = match result {
        Some(result) => result,
        None => {
            stop.send_replace(true);
            ended.await
        }
    };
    let read: u64 = metrics
        .sources
        .values()
        .map(|s| s.rows.load(std::sync::atomic::Ordering::Relaxed))
        .sum();
    let windows = count(board.windows() as u64, "window");
    let late = count(metrics.late_rows(), "late row");
    print(&format!(
        "\n{} read, {windows} closed, {late} left out.\n",
        count(read, "row")
    ))?;
    result
}

fn session(broker: &EmbeddedBroker) -> Result<Session> {
    let brokers = (
        "properties.bootstrap.servers".to_string(),
        broker.bootstrap_servers().to_string(),
    );
    // It keeps nothing, so it takes no checkpoints, and rows are visible at once.
    let at_once = (
        "sink.delivery-guarantee".to_string(),
        "at-least-once".to_string(),
    );
    let every = super::outside::EVERY.to_string();
    let mut session = Session::new(SessionConfig {
        table_options: BTreeMap::from([(every, BTreeMap::from([brokers, at_once]))]),
        batch_rows: BATCH_ROWS,
        ..SessionConfig::default()
    });
    session
        .settings
        .fix("execution.checkpointing.interval", "0 s")
        .map_err(|e| Error::internal(e.message))?;
    for (name, text) in FILES {
        session.load(&SourceFile::new(name, text))?;
    }
    Ok(session)
}

fn introduction(broker: &EmbeddedBroker, speed: f64) -> String {
    let files: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
    format!(
        "A Kafka broker in this process at {}, a generator of CloudEvents, and over them:\n  {}\n\
         Event time runs {speed} times as fast as the clock, so a 5-minute window closes about every {:.1} s.\n\
         Ctrl-C ends it.\n",
        broker.bootstrap_servers(),
        files.join("\n  "),
        WINDOW_SECONDS / speed,
    )
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
