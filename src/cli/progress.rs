//! Progress of a job over bounded input, on stderr and only when a person watches.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering::Relaxed;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::count;
use crate::graph::{Graph, Operation};
use crate::runtime::JobMetrics;

/// How finely the bar moves.
const STEPS: u64 = 10_000;

/// The bar, once it is known how much there is to read.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// Tables whose size is known in records; that of the others is in bytes.
    in_records: BTreeSet<String>,
}

/// How far the sources are.
#[derive(Debug, Default, PartialEq)]
struct State {
    rows: u64,
    /// Of [`STEPS`].
    done: u64,
    bytes_left: u64,
    records_left: u64,
}

impl Progress {
    /// No bar yet. `from_files`: tables that are read from files whatever their connector.
    pub fn new(graph: &Graph, from_files: &BTreeSet<String>) -> Self {
        let tables = graph.nodes.iter().filter_map(|node| match &node.operation {
            Operation::Source(source) => Some(&source.table),
            _ => None,
        });
        let in_records = tables
            .filter(|t| t.connector() == Some("kafka") && !from_files.contains(&t.name))
            .map(|t| t.name.clone())
            .collect();
        Self {
            bar: None,
            in_records,
        }
    }

    /// Shows how far the job is. Returns the bar when it is new.
    pub fn update(&mut self, graph: &Graph, metrics: &JobMetrics) -> Option<ProgressBar> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let state = self.state(graph, metrics)?;
        let is_new = self.bar.is_none();
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(STEPS);
            let template = "{bar:30} {percent:>3} %  {msg}, {eta} to go";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        let seconds = bar.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 {
            (state.rows as f64 / seconds) as u64
        } else {
            0
        };
        let left = match (state.bytes_left, state.records_left) {
            (bytes, 0) => HumanBytes(bytes).to_string(),
            (0, records) => count(records, "record"),
            (bytes, records) => format!("{} and {}", HumanBytes(bytes), count(records, "record")),
        };
        bar.set_message(format!(
            "{}, {}/s, {left} behind",
            count(state.rows, "row"),
            count(rate, "row")
        ));
        bar.set_position(state.done);
        is_new.then(|| bar.clone())
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// `None` where some source does not end, or does not know where.
    fn state(&self, graph: &Graph, metrics: &JobMetrics) -> Option<State> {
        let mut state = State::default();
        let mut fractions = Vec::new();
        for (id, source) in &metrics.sources {
            let total = source.total.load(Relaxed);
            if total == 0 {
                return None;
            }
            let done = source.done.load(Relaxed).min(total);
            state.rows += source.rows.load(Relaxed);
            fractions.push(done as f64 / total as f64);
            let is_in_records = match &graph.nodes[*id].operation {
                Operation::Source(source) => self.in_records.contains(&source.table.name),
                _ => false,
            };
            let left = if is_in_records {
                &mut state.records_left
            } else {
                &mut state.bytes_left
            };
            *left += total - done;
        }
        if fractions.is_empty() {
            return None;
        }
        state.done = (fractions.iter().sum::<f64>() / fractions.len() as f64 * STEPS as f64) as u64;
        Some(state)
    }
}
