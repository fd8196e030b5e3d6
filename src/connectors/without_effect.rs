//! Options that Flink's connectors take and that change nothing here: checked as far as they have a form, and noted.

use super::SINK_PARALLELISM;
use crate::catalog::Table;
use crate::catalog::options::{OptionError, Options};

/// Options of any table, and why they change nothing.
const OPTIONS: &[(&str, &str)] = &[
    (
        "scan.parallelism",
        "a table is read with the parallelism of the job",
    ),
    (
        "scan.watermark.emit.strategy",
        "the watermark moves after every row",
    ),
    (
        "scan.watermark.emit.on-event.gap",
        "the watermark moves after every row",
    ),
    (
        "scan.watermark.alignment.group",
        "partitions are read as they come; only memory bounds how far one runs ahead",
    ),
    ("scan.watermark.alignment.max-drift", ALIGNMENT),
    ("scan.watermark.alignment.update-interval", ALIGNMENT),
    ("sink.buffer-flush.max-rows", FLUSH),
    ("sink.buffer-flush.interval", FLUSH),
];

const ALIGNMENT: &str = "sources are not aligned";
const FLUSH: &str = "changes of a batch are folded into one record a key as they are";

/// Reads those that any table may have.
///
/// # Errors
/// A value that Flink would not take either.
pub(super) fn read(options: &Options) -> Result<(), OptionError> {
    options.choice(
        "scan.watermark.emit.strategy",
        "on-periodic",
        &["on-periodic", "on-event"],
    )?;
    for key in ["scan.parallelism", "scan.watermark.emit.on-event.gap"] {
        options.parse(key, 1, "a number above 0", |text| {
            text.parse().ok().filter(|n: &u32| *n > 0)
        })?;
    }
    for key in [
        "scan.watermark.idle-timeout",
        "scan.watermark.alignment.max-drift",
        "scan.watermark.alignment.update-interval",
    ] {
        options.duration(key, None)?;
    }
    options.get("scan.watermark.alignment.group");
    Ok(())
}

/// What of a table's options changes nothing, in words.
pub fn notes(table: &Table) -> Vec<String> {
    let is_kafka = matches!(table.connector(), Some("kafka" | "upsert-kafka"));
    let reason = |key: &str, value: &str| match key.strip_prefix("properties.") {
        Some(property) if is_kafka => super::kafka::property_without_effect(property, value),
        _ if key == SINK_PARALLELISM && value.trim() != "1" => {
            Some("a sink has as many writers as the job, or one with '1'")
        }
        _ => OPTIONS
            .iter()
            .find(|(option, _)| *option == key)
            .map(|(_, reason)| *reason),
    };
    let told = table.with.iter().filter_map(|(key, value)| {
        let reason = reason(key, value)?;
        Some(format!(
            "table '{}': '{key}' has no effect in flowline: {reason}",
            table.name
        ))
    });
    told.collect()
}
