//! What is told of a job while it runs: rows that are being left out, and time that has run ahead.

use std::sync::atomic::Ordering::Relaxed;

use chrono::DateTime;

use super::count;
use crate::graph::{Graph, Operation};
use crate::runtime::JobMetrics;

/// A source is ahead of the clock by more than its clocks can differ, in milliseconds.
const AHEAD: i64 = 60_000;
/// So often it is said again, in milliseconds.
const AGAIN: i64 = 60_000;

/// Notices late rows, and rows dated in the future.
#[derive(Debug, Default)]
pub struct Watch {
    late: Told,
    ahead: Told,
}

/// What was said of a number that grows.
#[derive(Debug, Default)]
struct Told {
    number: u64,
    at: i64,
}

impl Told {
    /// By how much it has grown, where it is time to say so.
    fn grown(&mut self, number: u64, now: i64) -> Option<u64> {
        let grown = number.saturating_sub(self.number);
        if grown == 0 || (self.number > 0 && now - self.at < AGAIN) {
            return None;
        }
        (self.number, self.at) = (number, now);
        Some(grown)
    }
}

impl Watch {
    /// Lines where there is something to say; `now`: the clock in milliseconds.
    pub fn look(&mut self, graph: &Graph, metrics: &JobMetrics, now: i64) -> Vec<String> {
        let mut lines = Vec::new();
        let mut furthest: Option<(i64, &str)> = None;
        let mut ahead = 0;
        for (id, source) in &metrics.sources {
            if let Operation::Source(read) = &graph.nodes[*id].operation {
                let watermark = source.watermark.load(Relaxed);
                furthest = furthest.max(Some((watermark, read.table.name.as_str())));
                ahead += source.ahead_rows.load(Relaxed);
            }
        }
        if let Some(more) = self.ahead.grown(ahead, now) {
            lines.push(format!(
                "warning: {} dated further ahead of the clock than 'flowline.watermark.max-ahead' allows: the watermark does not move with it",
                count(more, "row")
            ));
        }
        if let Some(more) = self.late.grown(metrics.late_rows(), now) {
            let mut line = format!(
                "warning: {} left out, behind the watermark (SELECT * FROM flowline.late_rows shows why)",
                count(more, "late row")
            );
            if let Some((watermark, table)) = furthest.filter(|(w, _)| *w > now + AHEAD) {
                let time = DateTime::from_timestamp_millis(watermark)
                    .map_or(watermark.to_string(), |t| {
                        t.format("%Y-%m-%d %H:%M:%S").to_string()
                    });
                line += &format!(
                    ". The watermark of '{table}' stands at {time}, ahead of the clock: a row dated in the future has moved it; \
                     SET 'flowline.watermark.max-ahead' = '1 h' leaves such rows out of account"
                );
            }
            lines.push(line);
        }
        lines
    }
}
