//! `flowline run`: SQL files as one job, until its inputs end or it is asked to stop.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::watch;

use super::args::{self, CheckpointArgs, Given, JobArgs, Loaded, OutsideArgs};
use super::progress::Progress;
use super::screen::{Output, Screen};
use super::summary::summary;
use super::watch::Watch;
use super::{messages, ranges, signals, tell};
use crate::catalog::Table;
use crate::checkpoint::Kind;
use crate::clock::{Clock as _, SystemClock};
use crate::connectors::capture::Capture;
use crate::error::{Error, Result};
use crate::graph::{Changes, Graph, Operation};
use crate::runtime::JobMetrics;
use crate::session::{JobEvent, SelectSink, Session};

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(200);

/// What to run and how.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("The folder rule: {}.", super::folder::RULE))]
pub struct Args {
    /// SQL files and folders, in this order; - is standard input
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// SQL to run, after the files
    #[arg(short, value_name = "SQL")]
    execute: Vec<String>,
    /// Write nothing to the declared sinks; write the changelog and the final rows of each to DIR
    #[arg(long, value_name = "DIR")]
    capture: Option<PathBuf>,
    /// Rows of a SELECT as a table or as JSON lines {"op":"+I","row":{...}} [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    outside: OutsideArgs,
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    checkpoints: CheckpointArgs,
}

/// Runs the files.
///
/// # Errors
/// Mistakes in them; whatever makes the job fail.
pub async fn run(args: &Args) -> Result<()> {
    if args.paths.is_empty() && args.execute.is_empty() {
        return Err(Error::usage("nothing to run")
            .with_help("flowline run PATH..., or flowline run -e 'SELECT ...'"));
    }
    let output = Output::choose(args.output);
    let files = args::sql_files(&args.paths, &args.execute)?;
    let capture = args.capture.clone().map(Capture::to_dir).transpose()?;
    let Loaded { session, said } = args::load(
        &files,
        &args.outside,
        &args.job,
        Given {
            capture,
            paths: &args.paths,
            checkpoints: Some(&args.checkpoints),
            replay: None,
            declares_more: false,
        },
    )?;
    messages::say(&said, output)?;
    if !session.has_jobs() {
        messages::note("nothing to run: there is no INSERT and no SELECT");
        return Ok(());
    }
    let stop = signals::stop_asked(args.job.stop_timeout()?);
    let result = job(&session, output, &args.outside, stop).await;
    if let Some(dir) = args.capture.as_ref().filter(|_| result.is_ok()) {
        tell(&format!("captured {}", dir.display()));
    }
    result
}

/// Runs what a session has loaded as a job, until its inputs end or `asked` becomes true, and says what it did.
///
/// # Errors
/// Whatever makes the job fail.
pub async fn job(
    session: &Session,
    output: Output,
    outside: &OutsideArgs,
    asked: watch::Receiver<bool>,
) -> Result<()> {
    let graph = session.graph()?;
    for warning in session.warnings(&graph) {
        messages::warning(&warning);
    }
    let screen = Screen::new(output, selects(&graph));
    let sink = {
        let screen = Arc::clone(&screen);
        move |name: &str, table: &Table| screen.sink(name, table)
    };
    let metrics = JobMetrics::of(&graph);
    let from_files = outside
        .source
        .iter()
        .filter_map(|s| Some(s.split_once('=')?.0.to_string()))
        .collect();
    let progress = Progress::new(&graph, &from_files);
    let running = Running {
        session,
        graph: &graph,
        metrics: &metrics,
        screen: &screen,
        has_run: AtomicBool::new(false),
    };
    let was_asked = asked.clone();
    let result = running.to_the_end(&sink, progress, asked).await;
    if running.has_run.load(Relaxed) {
        tell(summary(&graph, &metrics).trim_end());
        if result.is_ok() && !*was_asked.borrow() {
            let empty = ranges::empty(&graph, &metrics, &from_files);
            empty.iter().for_each(|line| messages::note(line));
        }
    }
    result
}

/// A job that is run, and what is shown of it.
pub struct Running<'a> {
    /// Its statements.
    pub session: &'a Session,
    /// Its dataflow.
    pub graph: &'a Graph,
    /// Its counters.
    pub metrics: &'a JobMetrics,
    /// Where its SELECTs are shown.
    pub screen: &'a Screen,
    /// It was started: there is something to be said of what it has done.
    pub has_run: AtomicBool,
}

impl Running<'_> {
    /// Runs it until it ends, `asked` becomes true, or it fails for good.
    ///
    /// # Errors
    /// What made it fail.
    pub async fn to_the_end(
        &self,
        sink: &SelectSink,
        mut progress: Progress,
        mut asked: watch::Receiver<bool>,
    ) -> Result<()> {
        let (stop, stopped) = watch::channel(false);
        let mut ticks = tokio::time::interval(TICK);
        let mut quiet = Quiet::default();
        let mut watch = Watch::default();
        let mut is_stopping = false;
        let say = |event: JobEvent<'_>| self.say(&event);
        let ended = self
            .session
            .run(self.graph, sink, self.metrics, stopped, &say);
        tokio::pin!(ended);
        let result = loop {
            tokio::select! {
                result = &mut ended => break result,
                () = signals::asked(&mut asked), if !is_stopping => {
                    tell("stopping: what was read is written out; Ctrl-C again ends at once");
                    is_stopping = true;
                    stop.send_replace(true);
                }
                () = self.screen.closed(), if !is_stopping => {
                    signals::end_soon();
                    is_stopping = true;
                    stop.send_replace(true);
                }
                _ = ticks.tick() => {
                    if let Some(bar) = progress.update(self.graph, self.metrics) {
                        self.screen.keep_below(bar);
                    }
                    if let Some(line) = quiet.look(self.graph, self.metrics) {
                        tell(&line);
                    }
                    for line in watch.look(self.graph, self.metrics, SystemClock.now()) {
                        tell(&line);
                    }
                }
            }
        };
        progress.finish();
        result
    }

    fn say(&self, event: &JobEvent<'_>) {
        if let JobEvent::Started { .. } = event {
            self.has_run.store(true, Relaxed);
            tell(&format!("running  {}", self.session.outputs().join(", ")));
        }
        let mut lines = event.lines();
        if let (JobEvent::Finished(_), Some(line)) = (event, lines.last_mut()) {
            line.push_str(" (--fresh runs it again)");
        }
        lines.iter().for_each(|line| tell(line));
        if let JobEvent::Started {
            from: Some(manifest),
            ..
        } = event
            && manifest.kind == Kind::Checkpoint
            && manifest.began_with.is_some()
            && self.session.settings.restore_path().is_some()
        {
            messages::note(
                "the job has gone on since that savepoint, and goes on from there; --fresh begins with the savepoint again",
            );
        }
    }
}

/// Notices that a job has read nothing yet.
#[derive(Debug, Default)]
struct Quiet {
    ticks: u32,
}

impl Quiet {
    /// So many ticks after the start it is said: 10 s, 1 min, 10 min.
    const SAID: [u32; 3] = [50, 300, 3000];

    /// A line where there is something to say.
    fn look(&mut self, graph: &Graph, metrics: &JobMetrics) -> Option<String> {
        self.ticks = self.ticks.saturating_add(1);
        if !Self::SAID.contains(&self.ticks) {
            return None;
        }
        let mut tables = Vec::new();
        for (id, source) in &metrics.sources {
            if source.rows.load(Relaxed) > 0 || source.bad_rows.load(Relaxed) > 0 {
                return None;
            }
            if let Operation::Source(source) = &graph.nodes[*id].operation {
                tables.push(source.table.name.as_str());
            }
        }
        tables.dedup();
        let seconds = u64::from(self.ticks) * TICK.as_millis() as u64 / 1000;
        (!tables.is_empty()).then(|| {
            format!(
                "waiting  no row of {} yet, after {seconds} s",
                tables.join(", ")
            )
        })
    }
}

/// The SELECTs of a job, each with how its rows change.
pub fn selects(graph: &Graph) -> HashMap<String, Changes> {
    let mut selects = HashMap::new();
    for node in &graph.nodes {
        if let Operation::Sink(sink) = &node.operation
            && sink.table.connector().is_none()
            && sink.name.starts_with("select_")
        {
            selects.insert(sink.name.clone(), node.changes.clone());
        }
    }
    selects
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::session::SessionConfig;
    use crate::sql::SourceFile;

    #[test]
    fn a_quiet_start_is_told_until_the_first_row() {
        let mut session = Session::new(SessionConfig::default());
        let text = "CREATE TABLE t (a INT) WITH ('connector' = 'datagen'); SELECT COUNT(*) FROM t;";
        session.load(&SourceFile::new("x.sql", text)).unwrap();
        let graph = session.graph().unwrap();
        let metrics = JobMetrics::of(&graph);
        let mut quiet = Quiet::default();
        let mut said = |ticks: u32| -> Vec<String> {
            (0..ticks)
                .filter_map(|_| quiet.look(&graph, &metrics))
                .collect()
        };
        assert_eq!(said(49), Vec::<String>::new());
        assert_eq!(said(1), ["waiting  no row of t yet, after 10 s"]);
        for source in metrics.sources.values() {
            source.rows.store(1, Relaxed);
        }
        assert_eq!(said(4000), Vec::<String>::new());
    }
}
