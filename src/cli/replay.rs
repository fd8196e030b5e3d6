//! `flowline replay`: a bounded range of topics through the same files, at full speed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::args::{self, Given, JobArgs, Loaded, OutsideArgs};
use super::progress::Progress;
use super::run::{Running, selects};
use super::screen::{Output, Screen};
use super::summary::summary;
use super::{messages, ranges, signals, tell};
use crate::catalog::Table;
use crate::clock::{Clock as _, SystemClock};
use crate::connectors::capture::Capture;
use crate::error::{Error, Result};
use crate::graph::Operation;
use crate::runtime::JobMetrics;
use crate::session::{Place, Replay, SendBack, send_back};
use crate::sql::SourceFile;

/// What to replay, and into what.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every Kafka table that the files read is read from --from to before --to, whatever its scan options say; a table that the \
files write and read is passed on in process. Windows that the range ends in stay open, as they were for the live job then: \
so complete windows give the rows that they gave live, where --from is at or before the first record of the first of them. A range \
given as offsets is of the partitions that it names; others are not read.")]
pub struct Args {
    /// SQL files and folders, in this order
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The first record: 'earliest', a time such as 2026-01-31T10:00:00Z, or offsets such as 'partition:0,offset:42;...'
    #[arg(long, value_name = "TIME|OFFSETS", default_value = "earliest", value_parser = place)]
    from: Place,
    /// Behind the last record: 'latest', a time, or offsets
    #[arg(long, value_name = "TIME|OFFSETS", default_value = "latest", value_parser = place)]
    to: Place,
    /// Write the rows of a table into another table, or to another topic or path
    #[arg(long, value_name = "TABLE=TARGET")]
    into: Vec<String>,
    /// Send the bad rows of this table back to its topic instead, to be read again: each once
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["from", "to", "into", "capture", "close_windows"])]
    bad_rows: Option<String>,
    /// Close the windows that the range ends in too
    #[arg(long)]
    close_windows: bool,
    /// Write nothing to the declared sinks; write the changelog and the final rows of each to DIR
    #[arg(long, value_name = "DIR")]
    capture: Option<PathBuf>,
    #[command(flatten)]
    outside: OutsideArgs,
    #[command(flatten)]
    job: JobArgs,
}

/// A place in topics.
fn place(text: &str) -> std::result::Result<Place, String> {
    if text.starts_with("partition:") {
        return Ok(Place::Offsets(text.to_string()));
    }
    let millis = match text {
        "earliest" => return Ok(Place::Earliest),
        "latest" => return Ok(Place::Latest),
        _ if text.len() > 10 && text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => time(text),
    };
    millis.map(Place::Time).ok_or_else(|| {
        "write 'earliest', 'latest', a time such as 2026-01-31T10:00:00Z (without Z it is UTC too), or offsets such as \
         'partition:0,offset:42;partition:1,offset:300'"
            .to_string()
    })
}

fn time(text: &str) -> Option<i64> {
    if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
        return Some(zoned.timestamp_millis());
    }
    let plain = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .or_else(|| {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        day.and_hms_opt(0, 0, 0)
    })?;
    Some(plain.and_utc().timestamp_millis())
}

/// Replays the range.
///
/// # Errors
/// Mistakes in the files; whatever makes the job fail.
pub async fn run(args: &Args) -> Result<()> {
    let output = Output::choose(None);
    check_range(&args.from, &args.to)?;
    let mut files = args::sql_files(&args.paths, &[])?;
    let mut sent = None;
    if let Some(table) = &args.bad_rows {
        let back = bad_rows(args, &files, table).await?;
        files = vec![back.file];
        sent = Some(back.sent);
    }
    let capture = args.capture.clone().map(Capture::to_dir).transpose()?;
    let mut into = BTreeMap::new();
    for pair in &args.into {
        match pair.split_once('=') {
            Some((table, target)) if !table.is_empty() && !target.is_empty() => {
                into.insert(table.to_string(), target.to_string());
            }
            _ => {
                return Err(Error::usage(format!(
                    "--into: expected TABLE=TARGET, not '{pair}'"
                )));
            }
        }
    }
    let given = Given {
        capture,
        paths: &args.paths,
        replay: Some(Replay {
            range: Some((args.from.clone(), args.to.clone())).filter(|_| sent.is_none()),
            into,
            closes_windows: args.close_windows,
        }),
        // They have been checked with the files.
        declares_more: sent.is_some(),
        ..Given::default()
    };
    let Loaded { session, said } = args::load(&files, &args.outside, &args.job, given)?;
    messages::say(&said, output)?;
    if !session.has_jobs() {
        messages::note("nothing to replay: there is no INSERT and no SELECT");
        return Ok(());
    }
    let graph = session.graph()?;
    for node in &graph.nodes {
        if let Operation::Sink(sink) = &node.operation
            && args.capture.is_none()
            && sent.is_none()
            && !node.changes.updating
            && matches!(sink.table.connector(), Some("kafka" | "filesystem"))
        {
            messages::note(&format!(
                "'{}' is append-only: what is replayed is added to what is there (--into writes elsewhere)",
                sink.name
            ));
        }
    }
    let screen = Screen::new(output, selects(&graph));
    let sink = {
        let screen = std::sync::Arc::clone(&screen);
        move |name: &str, table: &Table| screen.sink(name, table)
    };
    let metrics = JobMetrics::of(&graph);
    let from_files = args
        .outside
        .source
        .iter()
        .filter_map(|s| Some(s.split_once('=')?.0.to_string()))
        .collect();
    let running = Running {
        session: &session,
        graph: &graph,
        metrics: &metrics,
        screen: &screen,
        has_run: AtomicBool::new(false),
    };
    let progress = Progress::new(&graph, &from_files);
    let stop = signals::stop_asked(args.job.stop_timeout()?);
    let asked = stop.clone();
    let result = running.to_the_end(&sink, progress, stop).await;
    if running.has_run.load(Relaxed) {
        tell(summary(&graph, &metrics).trim_end());
    }
    if result.is_ok() && !*asked.borrow() {
        let empty = ranges::empty(&graph, &metrics, &from_files);
        empty.iter().for_each(|line| messages::note(line));
    }
    match sent.filter(|_| result.is_ok() && !*asked.borrow()) {
        Some(sent) => sent.done().await,
        None => result,
    }
}

/// A range that nothing can be in.
fn check_range(from: &Place, to: &Place) -> Result<()> {
    if let (Some(first), Some(last)) = (from.partitions(), to.partitions())
        && first != last
    {
        return Err(Error::usage(format!(
            "--from names offsets of the partitions {first}, --to of {last}"
        ))
        .with_help("name the same partitions in both: others are not read"));
    }
    match (from, to) {
        (Place::Time(from), _) if *from > SystemClock.now() => {
            Err(Error::usage("--from lies in the future"))
        }
        (Place::Time(from), Place::Time(to)) if from >= to => {
            Err(Error::usage("--to is not after --from"))
        }
        (Place::Latest, _) => Err(Error::usage("--from latest: nothing lies after it")
            .with_help("--from earliest reads topics from their beginning")),
        _ => Ok(()),
    }
}

/// How bad rows are sent back, for the table as the files declare it.
async fn bad_rows(
    args: &Args,
    files: &[std::sync::Arc<SourceFile>],
    table: &str,
) -> Result<SendBack> {
    let loaded = args::load(files, &args.outside, &args.job, Given::default())?;
    let catalog = &loaded.session.catalog;
    match catalog.table(table) {
        Some(table) => send_back(table).await,
        None => {
            let error = Error::usage(format!("--bad-rows: there is no table '{table}'"));
            Err(match catalog.closest(table) {
                Some(near) => error.with_help(format!("did you mean '{near}'?")),
                None => error,
            })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn places_in_topics() {
        assert_eq!(place("earliest").unwrap(), Place::Earliest);
        assert_eq!(
            place("1767225600000").unwrap(),
            Place::Time(1_767_225_600_000)
        );
        for text in [
            "2026-01-01",
            "2026-01-01 00:00",
            "2026-01-01T00:00:00",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T00:00:00Z",
        ] {
            assert_eq!(
                place(text).unwrap(),
                Place::Time(1_767_225_600_000),
                "{text}"
            );
        }
        let offsets = "partition:0,offset:42";
        assert_eq!(place(offsets).unwrap(), Place::Offsets(offsets.into()));
        assert!(place("yesterday").is_err());
    }
}
