//! `execution.runtime-mode` = batch: inputs that end are read whole, and sinks are given the rows left of all changes, once.
//!
//! The same operators run as for a stream. No watermark moves before the end of the inputs, so no row is late; nothing expires; and
//! each sink folds what it is given ([`crate::connectors::folded`]).

use std::sync::Arc;

use super::Session;
use super::ends::source_of;
use crate::catalog::Table;
use crate::error::{Error, Result};
use crate::graph::{Graph, Operation};
use crate::sql::Diagnostic;

impl Session {
    /// Reads every source of the graph to its end before event time moves.
    ///
    /// # Errors
    /// Sources that never end.
    pub(super) fn read_whole(&self, graph: &mut Graph) -> Result<()> {
        let mut mistakes: Vec<Diagnostic> = Vec::new();
        for node in &mut graph.nodes {
            let source = match &mut node.operation {
                Operation::Source(source) => source,
                // A table passed on in process: its rows go on without moving time.
                assign @ Operation::WatermarkAssign(_) => {
                    *assign = Operation::Calc(Vec::new());
                    continue;
                }
                _ => continue,
            };
            source.watermark = None;
            if !self.config.bounded && !source_of(&self.config, &source.table)?.is_bounded() {
                mistakes.push(endless(&source.table));
            }
        }
        mistakes.dedup();
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(Error::sql(mistakes))
        }
    }
}

fn endless(table: &Arc<Table>) -> Diagnostic {
    let help = match table.connector() {
        Some("kafka" | "upsert-kafka") => {
            "set its option 'scan.bounded.mode' = 'latest-offset', or run with --bounded: it ends at its present end then"
        }
        Some("datagen") => "set its option 'number-of-rows'",
        Some("nexmark") => "set its option 'events.num'",
        Some("filesystem") => "remove its option 'source.monitor-interval', or run with --bounded",
        _ => "run with --bounded",
    };
    let message = format!(
        "table '{}' never ends: with 'execution.runtime-mode' = 'batch' only tables that end can be read",
        table.name
    );
    Diagnostic::new(&table.file, table.span, message).with_help(help)
}
