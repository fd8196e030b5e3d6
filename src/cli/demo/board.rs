//! What the demo shows: the rows of its two result tables, as they are written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMillisecondType};
use async_trait::async_trait;
use chrono::DateTime;
use tokio::sync::watch;

use crate::changelog::{Batch, RowKind, row_kinds};
use crate::cli::{count, try_print};
use crate::connectors::{Sink, SinkMode, SinkWriter, Source, WriteRequest};
use crate::error::Result;
use crate::graph;
use crate::runtime::Connect;

const PER_SOURCE: &str = "events_aggregated_5min";
const HEALTH: &str = "system_health_5min";
const COUNTS: [&str; 5] = [
    "event_count",
    "critical_count",
    "error_count",
    "warning_count",
    "info_count",
];
/// Length of the longest bar.
const BAR: i64 = 24;

/// The ends of the job, each sink watched.
pub struct Watched<'a, C> {
    /// The ends.
    pub ends: &'a C,
    /// Sees what is written.
    pub board: Arc<Board>,
}

impl<C: Connect> Connect for Watched<'_, C> {
    fn source(&self, source: &graph::Source) -> Result<Arc<dyn Source>> {
        self.ends.source(source)
    }

    fn sink(&self, sink: &graph::Sink) -> Result<Arc<dyn Sink>> {
        let inner = self.ends.sink(sink)?;
        Ok(Arc::new(WatchedSink {
            inner,
            name: sink.name.clone(),
            board: Arc::clone(&self.board),
        }))
    }
}

struct WatchedSink {
    inner: Arc<dyn Sink>,
    name: String,
    board: Arc<Board>,
}

#[async_trait]
impl Sink for WatchedSink {
    fn mode(&self) -> SinkMode {
        self.inner.mode()
    }

    fn guarantee(&self) -> &'static str {
        self.inner.guarantee()
    }

    fn is_single(&self) -> bool {
        self.inner.is_single()
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        let key = request.key.clone();
        let inner = self.inner.writer(request).await?;
        Ok(Box::new(WatchedWriter {
            inner,
            name: self.name.clone(),
            key,
            board: Arc::clone(&self.board),
        }))
    }
}

struct WatchedWriter {
    inner: Box<dyn SinkWriter>,
    name: String,
    key: Option<Vec<usize>>,
    board: Arc<Board>,
}

#[async_trait]
impl SinkWriter for WatchedWriter {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        self.inner.write(batch).await?;
        let mut kinds = row_kinds(batch, self.key.as_deref())?;
        // Easier to compare from one window to the next.
        kinds.sort_by_key(|(row, _)| {
            (
                time(&batch.rows, "window_start", *row),
                string(&batch.rows, "source", *row),
            )
        });
        self.board.see(&self.name, &batch.rows, &kinds)
    }

    async fn flush(&mut self) -> Result<()> {
        self.inner.flush().await
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}

/// Shows rows and counts windows.
pub struct Board {
    has_colour: bool,
    is_terminal: bool,
    state: Mutex<State>,
    complete: watch::Sender<usize>,
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// The window whose title was printed last.
    shown: Option<i64>,
    /// Events of each window: over its sources, and as the health table has it.
    windows: BTreeMap<i64, (i64, i64)>,
}

impl Board {
    /// Nothing seen yet.
    pub fn new() -> Arc<Self> {
        let is_terminal = std::io::stdout().is_terminal();
        let has_colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Arc::new(Self {
            has_colour,
            is_terminal,
            state: Mutex::default(),
            complete: watch::Sender::new(0),
            closed: watch::Sender::new(false),
        })
    }

    /// How many windows are complete: the health table has counted every event of the sources.
    pub fn windows(&self) -> usize {
        *self.complete.borrow()
    }

    /// Waits for so many complete windows; for ever without a number.
    pub async fn complete(&self, windows: Option<u32>) {
        let Some(windows) = windows else {
            return std::future::pending().await;
        };
        let mut complete = self.complete.subscribe();
        if complete.wait_for(|n| *n >= windows as usize).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until nobody reads stdout any more.
    pub async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        if closed.wait_for(|closed| *closed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn see(&self, table: &str, rows: &RecordBatch, kinds: &[(usize, RowKind)]) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let most = kinds
            .iter()
            .filter_map(|(row, _)| int(rows, COUNTS[0], *row))
            .max()
            .unwrap_or(1);
        for (row, kind) in kinds {
            let Some(window) = time(rows, "window_start", *row) else {
                continue;
            };
            if matches!(kind, RowKind::UpdateBefore | RowKind::Delete) {
                continue;
            }
            if matches!(table, PER_SOURCE | HEALTH) && state.shown != Some(window) {
                self.title(&mut text, window, time(rows, "window_end", *row));
                state.shown = Some(window);
            }
            let entry = state.windows.entry(window).or_default();
            match table {
                PER_SOURCE => {
                    entry.0 += int(rows, COUNTS[0], *row).unwrap_or(0);
                    self.source(&mut text, rows, *row, most);
                }
                HEALTH => {
                    entry.1 = int(rows, "total_events", *row).unwrap_or(0);
                    self.health(&mut text, rows, *row);
                }
                _ => {}
            }
        }
        let complete = state
            .windows
            .values()
            .filter(|(sources, health)| sources == health)
            .count();
        let is_read = tokio::task::block_in_place(|| try_print(&text))?;
        self.closed.send_replace(!is_read);
        self.complete.send_replace(complete);
        Ok(())
    }

    fn title(&self, text: &mut String, start: i64, end: Option<i64>) {
        let shown = |time: i64, format: &str| {
            DateTime::from_timestamp_millis(time)
                .map(|t| t.format(format).to_string())
                .unwrap_or_default()
        };
        let from = shown(start, "%Y-%m-%d %H:%M");
        let to = end.map(|e| shown(e, " to %H:%M")).unwrap_or_default();
        let title = self.painted("1", &format!("{from}{to} UTC"));
        let _ = writeln!(text, "\n{title}");
        let _ = writeln!(
            text,
            "  {:<12} {:>8} {:>9} {:>7} {:>8} {:>7}",
            "source", "events", "critical", "error", "warning", "info"
        );
    }

    fn source(&self, text: &mut String, rows: &RecordBatch, row: usize, most: i64) {
        let source = string(rows, "source", row).unwrap_or("NULL");
        let numbers = COUNTS.map(|name| int(rows, name, row).unwrap_or(0));
        let _ = write!(text, "  {source:<12} {:>8}", numbers[0]);
        for (number, (width, colour)) in
            numbers[1..]
                .iter()
                .zip([(9, "31;1"), (7, "31"), (8, "33"), (7, "0")])
        {
            let shown = format!("{number:>width$}");
            let shown = if *number == 0 {
                self.painted("2", &shown)
            } else {
                self.painted(colour, &shown)
            };
            let _ = write!(text, " {shown}");
        }
        let length = (numbers[0] * BAR / most.max(1)).clamp(0, BAR) as usize;
        let bar = if self.is_terminal { "█" } else { "#" }.repeat(length);
        let _ = writeln!(text, "  {}", self.painted("36", &bar));
    }

    fn health(&self, text: &mut String, rows: &RecordBatch, row: usize) {
        let status = string(rows, "health_status", row).unwrap_or("NULL");
        let colour = match status {
            "HEALTHY" => "30;42",
            "WARNING" => "30;43",
            "DEGRADED" => "97;45",
            _ => "97;41",
        };
        let status = self.painted(colour, &format!(" {status} "));
        let number = |name| int(rows, name, row).unwrap_or(0).unsigned_abs();
        let events = count(number("total_events"), "event");
        let sources = count(number("source_count"), "source");
        let rate = double(rows, "error_rate_percent", row).unwrap_or(0.0);
        let _ = writeln!(
            text,
            "  {status} {events} from {sources}, {rate:.2} % errors"
        );
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.has_colour {
            format!("\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }
}

fn time(rows: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let array = rows
        .column_by_name(column)?
        .as_primitive_opt::<TimestampMillisecondType>()?;
    array.is_valid(row).then(|| array.value(row))
}

fn int(rows: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let array = rows
        .column_by_name(column)?
        .as_primitive_opt::<Int64Type>()?;
    array.is_valid(row).then(|| array.value(row))
}

fn double(rows: &RecordBatch, column: &str, row: usize) -> Option<f64> {
    let array = rows
        .column_by_name(column)?
        .as_primitive_opt::<Float64Type>()?;
    array.is_valid(row).then(|| array.value(row))
}

fn string<'a>(rows: &'a RecordBatch, column: &str, row: usize) -> Option<&'a str> {
    let array = rows.column_by_name(column)?.as_string_opt::<i32>()?;
    array.is_valid(row).then(|| array.value(row))
}
