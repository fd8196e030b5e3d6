//! Tells of topics that have nothing in the range that was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use chrono::DateTime;

use crate::graph::{Graph, Operation};
use crate::runtime::JobMetrics;

/// A line for each table that was read to its end from a time or an offset on, or up to one, and has no row there. `from_files`:
/// tables that are read from files whatever their connector.
pub fn empty(
    graph: &Graph,
    metrics: &JobMetrics,
    from_files: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (id, counted) in &metrics.sources {
        let Operation::Source(source) = &graph.nodes[*id].operation else {
            continue;
        };
        let table = &source.table;
        let has_rows = counted.rows.load(Relaxed) > 0 || counted.bad_rows.load(Relaxed) > 0;
        let is_kafka = matches!(table.connector(), Some("kafka" | "upsert-kafka"));
        if has_rows || !is_kafka || from_files.contains(&table.name) {
            continue;
        }
        if let Some(range) = range(&table.with) {
            lines.insert(format!(
                "table '{}' has no row in {} {range}",
                table.name,
                place(&table.with)
            ));
        }
    }
    lines
}

fn place(options: &BTreeMap<String, String>) -> String {
    let topic = match (options.get("topic"), options.get("topic-pattern")) {
        (Some(topic), _) => format!("topic '{topic}'"),
        (None, Some(pattern)) => format!("topics like '{pattern}'"),
        (None, None) => "its topic".to_string(),
    };
    match options.get("archive.path") {
        Some(path) => format!("{topic} and its archive {path}"),
        None => topic,
    }
}

/// The range in words; `None` where neither end was given.
fn range(options: &BTreeMap<String, String>) -> Option<String> {
    let end = |scan: &str| -> Option<String> {
        let option = |key: &str| options.get(&format!("scan.{scan}.{key}"));
        match option("mode").map(String::as_str) {
            Some("timestamp") => {
                let millis = option("timestamp-millis")?;
                let time = millis
                    .parse()
                    .ok()
                    .and_then(DateTime::from_timestamp_millis);
                Some(time.map_or(millis.clone(), |time| {
                    time.format("%Y-%m-%d %H:%M:%S%.f UTC").to_string()
                }))
            }
            Some("specific-offsets") => option("specific-offsets").cloned(),
            _ => None,
        }
    };
    let (from, to) = (end("startup"), end("bounded"));
    if from.is_none() && to.is_none() {
        return None;
    }
    let is_upsert = options.get("connector").map(String::as_str) == Some("upsert-kafka");
    let begins = match options.get("scan.startup.mode").map(String::as_str) {
        _ if is_upsert => "its beginning",
        Some("earliest-offset") => "its beginning",
        Some("latest-offset") => "its end",
        _ => "where its consumer group was",
    };
    let from = from.as_deref().unwrap_or(begins);
    let to = to.as_deref().unwrap_or("its present end");
    Some(format!("from {from} to {to}"))
}
