//! A bounded range of topics run through the same statements, into the same tables or others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::Table;
use crate::error::{Error, Result};
use crate::graph::{Graph, Operation};

/// A place in the topics of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The first record there is.
    Earliest,
    /// Behind the last record there is now.
    Latest,
    /// The first record of this time or later, in milliseconds since the epoch.
    Time(i64),
    /// Offsets as Flink writes them: `partition:0,offset:42;partition:1,offset:300`.
    Offsets(String),
}

/// What is replayed, and into what.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The first record, and after the last one; `None`: as the tables say.
    pub range: Option<(Place, Place)>,
    /// Tables whose rows go into another table, or to another topic or path.
    pub into: BTreeMap<String, String>,
    /// Windows that the range ends in are closed too; else they stay open, as they were for the live job at that time.
    pub closes_windows: bool,
}

impl Place {
    /// As options of a Kafka table; `scan` is `startup` or `bounded`.
    fn options(&self, scan: &str) -> Vec<(String, String)> {
        let mode = |mode: &str| (format!("scan.{scan}.mode"), mode.to_string());
        match self {
            Self::Earliest => vec![mode("earliest-offset")],
            Self::Latest => vec![mode("latest-offset")],
            Self::Time(millis) => vec![
                mode("timestamp"),
                (format!("scan.{scan}.timestamp-millis"), millis.to_string()),
            ],
            Self::Offsets(offsets) => vec![
                mode("specific-offsets"),
                (format!("scan.{scan}.specific-offsets"), offsets.clone()),
            ],
        }
    }
}

impl Place {
    /// The partitions that it is of, where it names offsets: a range of offsets is one of these only.
    pub fn partitions(&self) -> Option<String> {
        let Self::Offsets(offsets) = self else {
            return None;
        };
        let parts = offsets.split(';').filter_map(|pair| {
            let (partition, _) = pair.split_once(',')?;
            partition
                .trim()
                .strip_prefix("partition:")?
                .trim()
                .parse()
                .ok()
        });
        let parts: BTreeSet<i32> = parts.collect();
        let parts: Vec<String> = parts.iter().map(i32::to_string).collect();
        Some(parts.join(";"))
    }
}

impl Replay {
    /// Puts the range over what a Kafka table says. An upsert table is read from its beginning: what a key was is part of
    /// what it is.
    pub(super) fn bound(&self, table: &mut Table) {
        let is_upsert = match table.connector() {
            Some("kafka") => false,
            Some("upsert-kafka") => true,
            _ => return,
        };
        if let Some((from, to)) = &self.range {
            let is_range =
                |key: &str| key.starts_with("scan.startup.") || key.starts_with("scan.bounded.");
            table.with.retain(|key, _| !is_range(key));
            if !is_upsert {
                table.with.extend(from.options("startup"));
            }
            table.with.extend(to.options("bounded"));
            let places = [Some(from).filter(|_| !is_upsert), Some(to)];
            if let Some(partitions) = places.into_iter().flatten().find_map(Place::partitions) {
                table.with.insert("scan.partitions".into(), partitions);
            }
        }
        // A replay takes no checkpoints: after a failure it is run again.
        table.with.remove("sink.delivery-guarantee");
    }

    /// Puts the range over what hints say of the tables that are read.
    pub(super) fn bound_sources(&self, graph: &mut Graph) {
        for node in &mut graph.nodes {
            if let Operation::Source(source) = &mut node.operation {
                self.bound(Arc::make_mut(&mut source.table));
            }
        }
    }

    /// The table that rows of `table` go to: itself, or what `into` says.
    ///
    /// # Errors
    /// A table of other columns, or one that has neither topic nor path.
    pub(super) fn target(
        &self,
        table: &Arc<Table>,
        declared: Option<&Arc<Table>>,
    ) -> Result<Arc<Table>> {
        let Some(name) = self.into.get(&table.name) else {
            return Ok(Arc::clone(table));
        };
        let mut target = table.as_ref().clone();
        match declared {
            Some(other) => {
                let types = |t: &Table| -> Vec<_> {
                    let schema = t.sink_schema();
                    let fields = schema.fields().iter();
                    fields.map(|f| f.data_type().clone()).collect()
                };
                if types(table) != types(other) {
                    return Err(Error::usage(format!(
                        "--into {}={name}: the tables do not have the same columns",
                        table.name
                    ))
                    .with_help(
                        "declare the other table LIKE the first, with another topic or path",
                    ));
                }
                target.with.clone_from(&other.with);
            }
            None => {
                let key = match table.connector() {
                    Some("kafka" | "upsert-kafka") => "topic",
                    Some("filesystem") => "path",
                    _ => {
                        return Err(Error::usage(format!(
                            "--into {}={name}: there is no table '{name}', and '{}' has neither a topic nor a path",
                            table.name, table.name
                        ))
                        .with_help("declare the table that the rows are to go to"));
                    }
                };
                target.with.insert(key.into(), name.clone());
            }
        }
        Ok(Arc::new(target))
    }
}
