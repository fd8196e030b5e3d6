//! What a job has done, in a few lines on stderr.

use std::fmt::Write as _;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use super::count;
use crate::graph::{Graph, Operation};
use crate::runtime::JobMetrics;

/// Bad rows of a source that are shown.
const SHOWN: usize = 3;

/// One line a source and a sink; bad and late rows where there are any.
pub fn summary(graph: &Graph, metrics: &JobMetrics) -> String {
    let mut text = String::new();
    for (id, source) in &metrics.sources {
        let Operation::Source(node) = &graph.nodes[*id].operation else {
            continue;
        };
        let _ = write!(
            text,
            "read     {}: {}",
            node.table.name,
            count(source.rows.load(Relaxed), "row")
        );
        let bad = source.bad_rows.load(Relaxed);
        if bad > 0 {
            let _ = write!(text, ", {} left out", count(bad, "bad row"));
            let first = source
                .first_bad_rows
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for row in first.iter().take(SHOWN) {
                let _ = write!(text, "\n           {row}");
            }
            if bad > SHOWN as u64 {
                text.push_str("\n           ...");
            }
        }
        text.push('\n');
    }
    for (id, rows) in &metrics.sinks {
        let Operation::Sink(sink) = &graph.nodes[*id].operation else {
            continue;
        };
        let _ = writeln!(
            text,
            "written  {}: {}",
            sink.name,
            count(rows.load(Relaxed), "row")
        );
    }
    let late = metrics.late_rows();
    if late > 0 {
        let _ = writeln!(
            text,
            "dropped  {} (behind the watermark, their windows closed)",
            count(late, "late row")
        );
    }
    text
}
