//! The outside ends of a session's tables: their sources and sinks, and mistakes in their options.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{SelectSink, SessionConfig, reach};
use crate::catalog::options::OptionError;
use crate::catalog::{Table, closest};
use crate::connectors::{self, Sink, SinkMode, Source};
use crate::error::{Error, Result};
use crate::graph;
use crate::runtime::Connect;
use crate::sql::Diagnostic;

pub(super) struct Ends<'a> {
    pub(super) config: &'a SessionConfig,
    pub(super) selects: &'a SelectSink,
    /// Sinks are given the final rows only.
    pub(super) is_batch: bool,
}

impl Connect for Ends<'_> {
    fn source(&self, source: &graph::Source) -> Result<Arc<dyn Source>> {
        let table = &source.table;
        match &self.config.inboxes {
            Some(inboxes) if self.config.takes_inserts(table) => {
                Ok(Arc::new(inboxes.of(&table.name)))
            }
            _ => source_of(self.config, table),
        }
    }

    fn sink(&self, sink: &graph::Sink) -> Result<Arc<dyn Sink>> {
        let opened = self.changes_sink(sink)?;
        Ok(if self.is_batch {
            connectors::folded(opened)
        } else {
            opened
        })
    }
}

impl Ends<'_> {
    /// The sink as it takes every change.
    fn changes_sink(&self, sink: &graph::Sink) -> Result<Arc<dyn Sink>> {
        check_reach(self.config, &sink.table, None)?;
        let declared = match sink.table.connector() {
            Some(_) => Some(
                connectors::sink(&sink.table)
                    .map_err(|e| Error::sql(option_mistakes(&sink.table, &e)))?,
            ),
            None => None,
        };
        match (&self.config.capture, declared) {
            (Some(capture), declared) => {
                let managed = if sink.table.primary_key.is_some() {
                    SinkMode::Upsert
                } else {
                    SinkMode::Retract
                };
                Ok(capture.sink(
                    &sink.name,
                    declared.map_or(managed, |d| d.mode()),
                    &sink.table,
                ))
            }
            (None, Some(declared)) => Ok(declared),
            (None, None) if sink.is_select => Ok((self.selects)(&sink.name, &sink.table)),
            (None, None) => Ok(connectors::discard(SinkMode::Upsert)),
        }
    }
}

pub(super) fn source_of(config: &SessionConfig, table: &Table) -> Result<Arc<dyn Source>> {
    let file = config.sources.get(&table.name);
    check_reach(config, table, file.map(PathBuf::as_path))?;
    match file {
        Some(path) => connectors::file_source(path, table, None).map_err(|e| {
            Error::sql(option_mistakes(table, &[e])).at(format!("--source {}", table.name))
        }),
        None => connectors::source(table).map_err(|e| Error::sql(option_mistakes(table, &e))),
    }
}

/// Whether a table can be opened: the secrets that it refers to are there, and what it reaches is allowed.
fn check_reach(config: &SessionConfig, table: &Table, file: Option<&Path>) -> Result<()> {
    let mistakes = reach::mistakes(config.reach.as_deref(), table, file);
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Error::sql(option_mistakes(table, &mistakes))),
    }
}

/// Mistakes in a table's options, at the options.
pub(super) fn option_mistakes(table: &Table, errors: &[OptionError]) -> Vec<Diagnostic> {
    errors
        .iter()
        .map(|e| {
            let span = e
                .key
                .as_ref()
                .and_then(|k| table.option_spans.get(k))
                .copied()
                .unwrap_or(table.span);
            let message = format!("table '{}': {}", table.name, e.message);
            Diagnostic {
                file: Arc::clone(&table.file),
                span,
                message,
                help: e.help.clone(),
            }
        })
        .collect()
}

/// Checks a table's options when it is declared: it must be good for reading or for writing.
pub(super) fn check_connector(
    table: &Table,
    from_file: bool,
) -> std::result::Result<(), Vec<Diagnostic>> {
    if table.connector().is_none() {
        if from_file {
            return Ok(());
        }
        let keys = || table.with.keys().map(String::as_str);
        let mistake = match (closest("connector", keys()), keys().next()) {
            (Some(slip), _) => OptionError::new(slip, format!("unknown option '{slip}'"))
                .with_help("did you mean 'connector'?"),
            (None, Some(key)) => OptionError::new(
                key,
                format!("'{key}' is an option of a connector, and the table names none"),
            )
            .with_help("add 'connector' = '...'; a table without one has no options"),
            (None, None) => return Ok(()),
        };
        return Err(option_mistakes(table, &[mistake]));
    }
    match (connectors::source(table), connectors::sink(table)) {
        (Ok(_), _) | (_, Ok(_)) => Ok(()),
        (Err(reading), Err(writing)) => {
            // Which of the two is meant shows only later: a mistake of both is one for sure, else reading's are told.
            let both: Vec<OptionError> = reading
                .iter()
                .filter(|e| writing.contains(e))
                .cloned()
                .collect();
            let cannot_read = reading
                .iter()
                .any(|e| e.key.as_deref() == Some("connector"));
            let told = if !both.is_empty() {
                both
            } else if cannot_read {
                writing
            } else {
                reading
            };
            Err(option_mistakes(table, &told))
        }
    }
}
