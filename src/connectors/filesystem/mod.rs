//! Files as tables: a file, or all files of a folder, read once or watched for new ones; written one file a writer.

mod listing;
mod reader;
mod sink;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

use super::{MetadataKey, Sink, Source};
use crate::catalog::options::{OptionError, Options};
use crate::catalog::{ColumnKind, Table};
use crate::formats::{self, Format};
use listing::Folder;
use reader::FileSource;

/// Flink's options of the sink that come with transactional files.
const ROLLING: &[&str] = &[
    "auto-compaction",
    "compaction.file-size",
    "compaction.parallelism",
    "sink.partition-commit.delay",
    "sink.partition-commit.policy.class",
    "sink.partition-commit.policy.kind",
    "sink.partition-commit.success-file.name",
    "sink.partition-commit.trigger",
    "sink.partition-commit.watermark-time-zone",
    "sink.rolling-policy.check-interval",
    "sink.rolling-policy.file-size",
    "sink.rolling-policy.inactivity-interval",
    "sink.rolling-policy.rollover-interval",
    "sink.shuffle-by-partition.enable",
];

/// What a column of a file source is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The record: the column of this index in the physical schema.
    Physical(usize),
    /// Always NULL.
    Null,
    /// `file.path`
    Path,
    /// `file.name`
    Name,
    /// `file.size`
    Size,
    /// `file.modification-time`
    Modified,
}

impl Origin {
    fn of_key(key: &str) -> Self {
        match key {
            "file.path" => Self::Path,
            "file.name" => Self::Name,
            "file.size" => Self::Size,
            "file.modification-time" => Self::Modified,
            _ => Self::Null,
        }
    }
}

/// The metadata columns a file offers.
pub(super) fn metadata_keys() -> Vec<MetadataKey> {
    let key = |key, data_type| MetadataKey {
        key,
        data_type,
        writable: false,
    };
    vec![
        key("file.path", DataType::Utf8),
        key("file.name", DataType::Utf8),
        key("file.size", DataType::Int64),
        key(
            "file.modification-time",
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        ),
    ]
}

/// The table as a source of files.
pub(super) fn source(table: &Table, options: &Options) -> Result<Arc<dyn Source>, OptionError> {
    let common = Common::read(table, options)?;
    for key in ROLLING {
        // They concern the sink.
        options.get(key);
    }
    options.get("sink.parallelism");
    Ok(Arc::new(FileSource::new(
        Folder::new(common.path, common.pattern),
        common.monitor,
        common.format,
        origins(table),
    )))
}

/// The table as a sink of files.
pub(super) fn sink(table: &Table, options: &Options) -> Result<Arc<dyn Sink>, OptionError> {
    let common = Common::read(table, options)?;
    for key in ROLLING {
        if options.get(key).is_some() {
            return Err(
                OptionError::new(key, format!("'{key}' is not supported yet"))
                    .with_help("remove it: each writer writes one file a run"),
            );
        }
    }
    let single = super::single_writer(options)?;
    Ok(Arc::new(sink::FileSink::new(
        common.path,
        common.format_name,
        common.format,
        single,
    )))
}

/// Reads the rows of `table` from a file or folder, whatever the table's connector is. The format is `format`, else what
/// the table declares (`format`, `value.format`) where that is one that files can have, else JSON; the format's options
/// are the table's. Metadata columns that files do not have are NULL.
///
/// # Errors
/// A format that is unknown or does not fit the table's columns.
pub fn file_source(
    path: impl Into<PathBuf>,
    table: &Table,
    format: Option<&str>,
) -> Result<Arc<dyn Source>, OptionError> {
    let options = table.options();
    let declared = ["format", "value.format"].iter().find_map(|key| {
        let name = options
            .get(key)
            .filter(|name| formats::NAMES.contains(name))?;
        Some((name, if *key == "value.format" { "value." } else { "" }))
    });
    let (name, prefix) = match (format, declared) {
        (Some(name), Some((declared, prefix))) if name == declared => (name, prefix),
        (Some(name), _) => (name, ""),
        (None, Some(declared)) => declared,
        (None, None) => ("json", ""),
    };
    let format = formats::format(name, prefix, &options, table.physical_schema())?;
    let folder = Folder::new(path.into(), None);
    let mut origins = origins(table);
    if table.connector() != Some("filesystem") {
        for origin in &mut origins {
            if !matches!(origin, Origin::Physical(_)) {
                *origin = Origin::Null;
            }
        }
    }
    Ok(Arc::new(FileSource::new(folder, None, format, origins)))
}

/// For each column of the table where it is read from.
fn origins(table: &Table) -> Vec<Origin> {
    let mut physical = 0;
    table
        .columns
        .iter()
        .map(|column| match &column.kind {
            ColumnKind::Physical => {
                physical += 1;
                Origin::Physical(physical - 1)
            }
            ColumnKind::Metadata { key, .. } => Origin::of_key(key),
            ColumnKind::Computed(_) => Origin::Null,
        })
        .collect()
}

/// The options that source and sink share.
struct Common {
    path: PathBuf,
    format_name: String,
    format: Box<dyn Format>,
    monitor: Option<std::time::Duration>,
    pattern: Option<regex::Regex>,
}

impl Common {
    fn read(table: &Table, options: &Options) -> Result<Self, OptionError> {
        if !table.partitioned_by.is_empty() {
            return Err(OptionError {
                key: None,
                message: format!(
                    "table '{}': PARTITIONED BY is not supported for files",
                    table.name
                ),
                help: Some("leave it out, and keep the partition columns in the rows".to_string()),
            });
        }
        let path = listing::local_path(options.require("path")?)?;
        let format_name = options.require("format")?.to_string();
        let format = formats::format(&format_name, "", options, table.physical_schema())?;
        let monitor = options.duration("source.monitor-interval", None)?;
        if monitor.is_some_and(|interval| interval.is_zero()) {
            return Err(OptionError::new(
                "source.monitor-interval",
                "'source.monitor-interval' must be above zero",
            )
            .with_help("for example '1 s'"));
        }
        let pattern = match options.get("source.path.regex-pattern") {
            None => None,
            Some(text) => Some(regex::Regex::new(&format!("^(?:{text})$")).map_err(|e| {
                OptionError::new(
                    "source.path.regex-pattern",
                    format!("not a regular expression: {e}"),
                )
            })?),
        };
        // Statistics steer Flink's optimizer; there is nothing to switch off here.
        options.choice("source.report-statistics", "ALL", &["ALL", "NONE"])?;
        Ok(Self {
            path,
            format_name,
            format,
            monitor,
            pattern,
        })
    }
}
