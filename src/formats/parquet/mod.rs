//! The `parquet` format: files of columns, read and written as Flink's parquet format does.
//!
//! Options, below `parquet.`: `compression` (UNCOMPRESSED, SNAPPY, ZSTD), `compression.codec.zstd.level`, `block.size`,
//! `utc-timezone`, `write.int64.timestamp`, `timestamp.time.unit`.
//!
//! TIMESTAMPs are written as INT64 with their unit, which Flink reads too; Flink itself writes INT96 by default, and both
//! are read. Columns are found by name; those that a file lacks are NULL.

mod fit;
mod groups;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Type as PhysicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::SchemaDescriptor;

use super::{ColumnarFormat, ColumnarReader, ColumnarWriter, FileFault, format_key};
use crate::catalog::options::{OptionError, Options};

pub(crate) use groups::{GroupedFile, Keep};

/// A row group is written out when it has so many bytes: readers hold one at a time, and writers too.
const ROW_GROUP_BYTES: i64 = 32 << 20;

/// The options of one table.
struct Parquet {
    schema: SchemaRef,
    /// The same with the types that are written.
    stored: SchemaRef,
    properties: WriterProperties,
}

pub(super) fn format(
    prefix: &str,
    options: &Options,
    schema: SchemaRef,
) -> Result<Arc<dyn ColumnarFormat>, OptionError> {
    let key = |name: &str| format!("{prefix}{name}");
    let compression = compression(options, prefix)?;
    let group = options.int(&key("block.size"), ROW_GROUP_BYTES)?;
    let Some(group) = usize::try_from(group).ok().filter(|bytes| *bytes > 0) else {
        return Err(OptionError::new(
            &key("block.size"),
            format!(
                "'{}' must be a number of bytes above zero",
                key("block.size")
            ),
        ));
    };
    // The local time zone is UTC, so it is the same either way.
    options.bool(&key("utc-timezone"), false)?;
    if !options.bool(&key("write.int64.timestamp"), true)? {
        return Err(OptionError::new(
            &key("write.int64.timestamp"),
            "timestamps cannot be written as INT96",
        )
        .with_help("remove the option: INT64 is what is written, and Flink reads it too"));
    }
    let unit = match options.choice(
        &key("timestamp.time.unit"),
        "",
        &["millis", "micros", "nanos"],
    )? {
        "millis" => Some(TimeUnit::Millisecond),
        "micros" => Some(TimeUnit::Microsecond),
        "nanos" => Some(TimeUnit::Nanosecond),
        _ => None,
    };
    let stored = schema
        .fields()
        .iter()
        .map(|field| {
            stored(field, unit).map_err(|kind| {
                OptionError::new(
                    &format_key(prefix),
                    format!(
                        "column '{}': the parquet format does not support the type {kind}",
                        field.name()
                    ),
                )
            })
        })
        .collect::<Result<Fields, _>>()?;
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_bytes(Some(group))
        .set_coerce_types(true)
        .set_created_by(concat!("flowline version ", env!("CARGO_PKG_VERSION")).to_string())
        .build();
    Ok(Arc::new(Parquet {
        schema,
        stored: Arc::new(Schema::new(stored)),
        properties,
    }))
}

fn compression(options: &Options, prefix: &str) -> Result<Compression, OptionError> {
    const CODECS: &[&str] = &["UNCOMPRESSED", "SNAPPY", "ZSTD"];
    let key = format!("{prefix}compression");
    let level_key = format!("{key}.codec.zstd.level");
    let level = options.int(&level_key, 3)?;
    let level = i32::try_from(level)
        .ok()
        .and_then(|level| ZstdLevel::try_new(level).ok())
        .ok_or_else(|| {
            OptionError::new(
                &level_key,
                format!("'{level_key}' must be between 1 and 22"),
            )
        })?;
    let text = options.get(&key).unwrap_or("SNAPPY");
    match text.trim().to_ascii_uppercase().as_str() {
        "UNCOMPRESSED" => Ok(Compression::UNCOMPRESSED),
        "SNAPPY" => Ok(Compression::SNAPPY),
        "ZSTD" => Ok(Compression::ZSTD(level)),
        _ => Err(
            OptionError::new(&key, format!("'{key}' = '{text}' is not supported"))
                .with_help(format!("the codecs are: {}", CODECS.join(", "))),
        ),
    }
}

/// The field as it is written, or the type that Parquet has no form for.
fn stored(field: &Field, unit: Option<TimeUnit>) -> Result<FieldRef, String> {
    use DataType as D;
    let parts = |fields: &Fields| {
        fields
            .iter()
            .map(|field| stored(field, unit))
            .collect::<Result<Fields, _>>()
    };
    let data_type = match field.data_type() {
        plain @ (D::Boolean
        | D::Int8
        | D::Int16
        | D::Int32
        | D::Int64
        | D::Float32
        | D::Float64
        | D::Decimal128(..)
        | D::Utf8
        | D::Binary
        | D::Date32) => plain.clone(),
        // Parquet counts no seconds.
        D::Time32(_) => D::Time32(TimeUnit::Millisecond),
        D::Timestamp(own, zone) => {
            let own = match own {
                TimeUnit::Second => TimeUnit::Millisecond,
                finer => *finer,
            };
            D::Timestamp(unit.unwrap_or(own), zone.clone())
        }
        D::List(item) => D::List(stored(item, unit)?),
        D::Map(entries, sorted) => D::Map(stored(entries, unit)?, *sorted),
        D::Struct(fields) if !fields.is_empty() => D::Struct(parts(fields)?),
        other => return Err(fit::name(other)),
    };
    Ok(Arc::new(field.clone().with_data_type(data_type)))
}

impl ColumnarFormat for Parquet {
    fn reader(
        &self,
        file: File,
        projection: &[usize],
        first_row: u64,
        batch_rows: usize,
    ) -> Result<Box<dyn ColumnarReader>, FileFault> {
        let wanted = super::project(&self.schema, projection);
        let (metadata, columns) = open(&file, &wanted)?;
        let groups = Groups::from(metadata.metadata(), first_row);
        let reader = read(file, metadata, &columns, groups.clone(), batch_rows)?;
        Ok(Box::new(Rows {
            reader,
            columns,
            schema: wanted,
            total: groups.total,
        }))
    }

    fn writer(&self, out: Box<dyn Write + Send>) -> Result<Box<dyn ColumnarWriter>, FileFault> {
        let options = ArrowWriterOptions::new()
            .with_properties(self.properties.clone())
            .with_skip_arrow_metadata(true)
            .with_schema_root("flowline".to_string());
        let writer = ArrowWriter::try_new_with_options(out, Arc::clone(&self.stored), options)?;
        Ok(Box::new(Writer {
            writer,
            stored: Arc::clone(&self.stored),
        }))
    }
}

/// The row groups that are left behind a row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Groups {
    read: Vec<usize>,
    /// Rows of the first of them to be passed over.
    skip: usize,
    /// Rows of the whole file.
    total: u64,
}

impl Groups {
    fn from(file: &ParquetMetaData, first_row: u64) -> Self {
        let mut groups = Self {
            read: Vec::new(),
            skip: 0,
            total: 0,
        };
        for (i, group) in file.row_groups().iter().enumerate() {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            if groups.total + rows > first_row {
                if groups.read.is_empty() {
                    let skip = first_row.saturating_sub(groups.total);
                    groups.skip = usize::try_from(skip).unwrap_or(usize::MAX);
                }
                groups.read.push(i);
            }
            groups.total += rows;
        }
        groups
    }
}

/// Opens a file, and for each of the `wanted` columns finds its place in it.
fn open(
    file: &File,
    wanted: &SchemaRef,
) -> Result<(ArrowReaderMetadata, Vec<Option<usize>>), FileFault> {
    let options = || ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(file, options()).map_err(|e| match fault(e) {
        FileFault::Content { reason, .. } => FileFault::Content {
            column: None,
            reason: format!("no whole Parquet file: {reason}"),
        },
        io @ FileFault::Io(_) => io,
    })?;
    // An INT96 may lie far outside of what nanoseconds can count: it is read in the unit it is wanted in.
    let mut leaf = 0;
    let hinted: Fields = metadata
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let to = wanted.field_with_name(field.name()).ok();
            hint(field, to, metadata.parquet_schema(), &mut leaf)
        })
        .collect();
    let metadata = if hinted == *metadata.schema().fields() {
        metadata
    } else {
        let options = options().with_schema(Arc::new(Schema::new(hinted)));
        ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?
    };
    let columns = wanted
        .fields()
        .iter()
        .map(|field| {
            let content = |reason: String| FileFault::Content {
                column: Some(field.name().clone()),
                reason,
            };
            let Some((i, found)) = metadata.schema().fields().find(field.name()) else {
                return if field.is_nullable() {
                    Ok(None)
                } else {
                    let reason = "the file has no such column, which is declared NOT NULL";
                    Err(content(reason.to_string()))
                };
            };
            fit::check(found.data_type(), field.data_type()).map_err(content)?;
            Ok(Some(i))
        })
        .collect::<Result<Vec<_>, _>>()?;
    check_codecs(&metadata, &columns)?;
    Ok((metadata, columns))
}

/// The type a field of a file is read as: its own, save for INT96, which comes in the unit it is wanted in.
fn hint(
    found: &FieldRef,
    wanted: Option<&Field>,
    leaves: &SchemaDescriptor,
    leaf: &mut usize,
) -> FieldRef {
    use DataType as D;
    let wanted_type = wanted.map(Field::data_type);
    let data_type = match found.data_type() {
        D::Struct(fields) => D::Struct(
            fields
                .iter()
                .map(|field| {
                    let to = match wanted_type {
                        Some(D::Struct(parts)) => parts.find(field.name()),
                        _ => None,
                    };
                    hint(field, to.map(|(_, part)| part.as_ref()), leaves, leaf)
                })
                .collect(),
        ),
        D::List(item) => {
            let to = match wanted_type {
                Some(D::List(to)) => Some(to.as_ref()),
                _ => None,
            };
            D::List(hint(item, to, leaves, leaf))
        }
        D::Map(entries, sorted) => {
            let to = match wanted_type {
                Some(D::Map(to, _)) => Some(to.as_ref()),
                _ => None,
            };
            D::Map(hint(entries, to, leaves, leaf), *sorted)
        }
        plain => {
            let at = *leaf;
            *leaf += 1;
            let is_int96 = at < leaves.num_columns()
                && leaves.column(at).physical_type() == PhysicalType::INT96;
            match wanted_type {
                Some(D::Timestamp(unit, _)) if is_int96 => D::Timestamp(*unit, None),
                _ => plain.clone(),
            }
        }
    };
    Arc::new(found.as_ref().clone().with_data_type(data_type))
}

/// Refuses compression that this program cannot undo, before the first page fails.
fn check_codecs(
    metadata: &ArrowReaderMetadata,
    columns: &[Option<usize>],
) -> Result<(), FileFault> {
    let schema = metadata.parquet_schema();
    for group in metadata.metadata().row_groups() {
        for (leaf, chunk) in group.columns().iter().enumerate() {
            let known = matches!(
                chunk.compression(),
                Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_)
            );
            let root = schema.get_column_root_idx(leaf);
            if !known && columns.contains(&Some(root)) {
                let codec = chunk.compression().to_string();
                return Err(FileFault::Content {
                    column: Some(schema.get_column_root(leaf).name().to_string()),
                    reason: format!(
                        "it is compressed with {}, which cannot be read; SNAPPY, ZSTD and UNCOMPRESSED can",
                        codec.split('(').next().unwrap_or_default()
                    ),
                });
            }
        }
    }
    Ok(())
}

fn read(
    file: File,
    metadata: ArrowReaderMetadata,
    columns: &[Option<usize>],
    groups: Groups,
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader, FileFault> {
    let roots = columns.iter().flatten().copied();
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_projection(mask)
        .with_batch_size(batch_rows.max(1))
        .with_row_groups(groups.read);
    // An offset of 0 would cost a plan that skips nothing.
    let builder = match groups.skip {
        0 => builder,
        rows => builder.with_offset(rows),
    };
    Ok(builder.build()?)
}

/// Reads one file.
struct Rows {
    reader: ParquetRecordBatchReader,
    /// For each column asked for its place among the file's columns.
    columns: Vec<Option<usize>>,
    schema: SchemaRef,
    total: u64,
}

impl ColumnarReader for Rows {
    fn total_rows(&self) -> u64 {
        self.total
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>, FileFault> {
        let Some(read) = self.reader.next() else {
            return Ok(None);
        };
        let read = read.map_err(|e| arrow_fault(e, "the file is broken"))?;
        as_wanted(&read, &self.schema, &self.columns).map(Some)
    }
}

/// Columns of a file as those of a table: by name, those that have no place in the file NULL.
fn as_wanted(
    read: &RecordBatch,
    wanted: &SchemaRef,
    places: &[Option<usize>],
) -> Result<RecordBatch, FileFault> {
    let rows = read.num_rows();
    let columns = wanted
        .fields()
        .iter()
        .zip(places)
        .map(
            |(field, place)| match place.and_then(|_| read.column_by_name(field.name())) {
                None => Ok(new_null_array(field.data_type(), rows)),
                Some(array) => fit::convert(array, field).map_err(|reason| FileFault::Content {
                    column: Some(field.name().clone()),
                    reason,
                }),
            },
        )
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    batch(wanted, columns, rows)
}

fn batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, FileFault> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|e| arrow_fault(e, "the columns do not fit together"))
}

struct Writer {
    writer: ArrowWriter<Box<dyn Write + Send>>,
    stored: SchemaRef,
}

impl ColumnarWriter for Writer {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), FileFault> {
        let columns = self
            .stored
            .fields()
            .iter()
            .zip(rows.columns())
            .map(|(field, array)| {
                fit::convert(array, field).map_err(|reason| FileFault::Content {
                    column: Some(field.name().clone()),
                    reason,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let rows = batch(&self.stored, columns, rows.num_rows())?;
        Ok(self.writer.write(&rows)?)
    }

    fn size(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn held(&self) -> usize {
        self.writer.memory_size()
    }

    fn write_out(&mut self) -> Result<(), FileFault> {
        Ok(self.writer.flush()?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), FileFault> {
        self.writer.finish()?;
        Ok(())
    }
}

impl From<ParquetError> for FileFault {
    fn from(error: ParquetError) -> Self {
        fault(error)
    }
}

/// What the library says, without its layers.
fn fault(error: ParquetError) -> FileFault {
    let reason = match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => return FileFault::Io(*io),
            Err(other) => other.to_string(),
        },
        ParquetError::General(m) | ParquetError::EOF(m) | ParquetError::ArrowError(m) => m,
        other => other.to_string(),
    };
    FileFault::Content {
        column: None,
        reason,
    }
}

fn arrow_fault(error: ArrowError, what: &str) -> FileFault {
    match error {
        ArrowError::IoError(_, io) => FileFault::Io(io),
        ArrowError::ExternalError(inner) => match inner.downcast::<ParquetError>() {
            Ok(inner) => fault(*inner),
            Err(other) => FileFault::Content {
                column: None,
                reason: format!("{what}: {other}"),
            },
        },
        other => FileFault::Content {
            column: None,
            reason: format!("{what}: {other}"),
        },
    }
}
