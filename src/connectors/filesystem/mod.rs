//! Files as tables: a file, or all files of a folder, read once or watched for new ones; written in files that are published
//! when they are complete, in a folder a partition where the table has partitions.

pub(super) mod archive;
mod committer;
mod listing;
mod marks;
mod partitions;
mod reader;
mod records;
mod rolling;
mod sink;
mod staging;
mod writer;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

use super::{MetadataKey, Sink, Source};
use crate::catalog::options::{OptionError, Options};
use crate::catalog::{ColumnKind, Table};
use crate::formats::{self, FileFormat};
use listing::Folder;
use marks::Marks;
use partitions::{Partitions, Place};
use reader::FileSource;
use rolling::Rolling;
use sink::FileSink;
use writer::Content;

/// What a column of a file source is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The file: the column of this index in the schema of what is stored.
    Stored(usize),
    /// The path: the column of this index among those the table is partitioned by.
    Partition(usize),
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
    // They concern the sink.
    Rolling::pass_over(options);
    Marks::pass_over(options);
    options.get("sink.parallelism");
    Ok(Arc::new(FileSource::new(
        Folder::new(common.path, common.pattern),
        common.monitor,
        common.format,
        origins(table, &common.partitions),
        common.partitions,
    )))
}

/// The table as a sink of files.
pub(super) fn sink(table: &Table, options: &Options) -> Result<Arc<dyn Sink>, OptionError> {
    let common = Common::read(table, options)?;
    let rolling = Rolling::read(options)?;
    let marks = Marks::read(options, &common.partitions)?;
    Ok(Arc::new(FileSink {
        table: table.name.clone(),
        path: common.path,
        single: super::single_writer(options)?,
        content: Arc::new(Content {
            format: common.format,
            ending: common.format_name,
            partitions: common.partitions,
            rolling,
            marks,
        }),
    }))
}

/// Reads the rows of `table` from a file or folder, whatever the table's connector is. The format is `format`, else what
/// the table declares (`format`, `value.format`) where that is one that files can have, else Parquet where the name ends so,
/// else JSON; the format's options are the table's. All physical columns are in the files, also those the table is partitioned
/// by. Metadata columns that files do not have are NULL.
///
/// # Errors
/// A format that is unknown or does not fit the table's columns.
pub fn file_source(
    path: impl Into<PathBuf>,
    table: &Table,
    format: Option<&str>,
) -> Result<Arc<dyn Source>, OptionError> {
    let path = path.into();
    let options = table.options();
    let declared = ["format", "value.format"].iter().find_map(|key| {
        let name = options
            .get(key)
            .filter(|name| formats::FILE_NAMES.contains(name))?;
        Some((name, if *key == "value.format" { "value." } else { "" }))
    });
    let by_name = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    let (name, prefix) = match (format, declared) {
        (Some(name), Some((declared, prefix))) if name == declared => (name, prefix),
        (Some(name), _) => (name, ""),
        (None, _) if by_name => ("parquet", ""),
        (None, Some(declared)) => declared,
        (None, None) => ("json", ""),
    };
    let format = formats::file_format(name, prefix, &options, table.physical_schema())?;
    let folder = Folder::new(path, None);
    let partitions = Partitions::none(table);
    let mut origins = origins(table, &partitions);
    if table.connector() != Some("filesystem") {
        for origin in &mut origins {
            if !matches!(origin, Origin::Stored(_)) {
                *origin = Origin::Null;
            }
        }
    }
    Ok(Arc::new(FileSource::new(
        folder, None, format, origins, partitions,
    )))
}

/// For each column of the table where it is read from.
fn origins(table: &Table, partitions: &Partitions) -> Vec<Origin> {
    let mut physical = 0;
    table
        .columns
        .iter()
        .map(|column| match &column.kind {
            ColumnKind::Physical => {
                physical += 1;
                match partitions.place(physical - 1) {
                    Place::Stored(i) => Origin::Stored(i),
                    Place::Partition(i) => Origin::Partition(i),
                }
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
    format: FileFormat,
    partitions: Partitions,
    monitor: Option<std::time::Duration>,
    pattern: Option<regex::Regex>,
}

impl Common {
    fn read(table: &Table, options: &Options) -> Result<Self, OptionError> {
        let partitions = Partitions::of(table, options)?;
        let path = listing::local_path(options.require("path")?)?;
        let format_name = options.require("format")?.to_string();
        let stored = partitions.stored_schema(&table.physical_schema());
        let format = formats::file_format(&format_name, "", options, stored)?;
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
            partitions,
            monitor,
            pattern,
        })
    }
}
