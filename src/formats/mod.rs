//! Bytes to `RecordBatch` and back: one module a format, Flink's option names and rules.

mod cells;
mod column;
mod csv;
mod debezium;
mod json;
mod lines;
mod parquet;
mod raw;
pub mod text;

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};

use crate::catalog::options::{OptionError, Options};

pub(crate) use parquet::{GroupedFile, Keep};

/// Why a payload gave no row, or a field no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Index of the payload in the call.
    pub payload: usize,
    /// The field at fault, where one is (a path such as `a.b` inside a row).
    pub field: Option<String>,
    /// What is wrong and what was expected.
    pub reason: String,
}

/// What one call of [`Decoder::decode`] gave.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The rows, in payload order, columns as [`Decoder::schema`].
    pub rows: RecordBatch,
    /// For each row the index of its payload; `None` when every payload gave exactly one row.
    pub origins: Option<Vec<u32>>,
    /// The rows' weights, of a format that says which rows go (negative).
    pub weights: Option<Int64Array>,
    /// Payloads (or fields of them) that were skipped or made NULL because parse errors are ignored.
    pub skipped: Vec<BadRow>,
}

/// Bytes to rows.
pub trait Decoder: Send {
    /// The columns decoded: those of the table that the plan needs, in table order.
    fn schema(&self) -> SchemaRef;

    /// Takes the first record of a file, where that is no row ([`Format::has_header`]).
    ///
    /// # Errors
    /// One that does not fit the table.
    fn header(&mut self, _record: &[u8]) -> Result<(), BadRow> {
        Ok(())
    }

    /// Decodes payloads, in order, into one batch.
    ///
    /// # Errors
    /// The first payload that does not decode, unless parse errors are ignored. Nothing is kept of the call then.
    fn decode(&mut self, payloads: &[&[u8]]) -> Result<Decoded, BadRow>;
}

/// Rows encoded one after another.
#[derive(Debug, Default)]
pub struct Encoded {
    /// All payloads, back to back, without separators.
    pub bytes: Vec<u8>,
    /// End of each row's payload in `bytes`; its length is the number of rows.
    pub ends: Vec<usize>,
}

impl Encoded {
    /// The payloads, one a row.
    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let payload = &self.bytes[start..*end];
            start = *end;
            payload
        })
    }
}

/// Rows to bytes.
pub trait Encoder: Send {
    /// Appends one payload a row. The batch has the schema the encoder was made for.
    ///
    /// # Errors
    /// A value the format cannot hold; the payload index is the row's.
    fn encode(&mut self, rows: &RecordBatch, out: &mut Encoded) -> Result<(), BadRow>;

    /// Appends one payload a row, of which some are `deleted`.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; a deleted row, where the format has no form for it ([`Format::is_changelog`]).
    fn encode_changes(
        &mut self,
        rows: &RecordBatch,
        deleted: &BooleanArray,
        out: &mut Encoded,
    ) -> Result<(), BadRow> {
        match deleted.iter().position(|d| d == Some(true)) {
            None => self.encode(rows, out),
            Some(payload) => Err(BadRow {
                payload,
                field: None,
                reason: "the format cannot say that a row goes".into(),
            }),
        }
    }
}

/// Decodes the payloads that can be, and says what is wrong with the others: they count as skipped.
///
/// # Errors
/// None that a payload leads to.
pub fn decode_each(decoder: &mut dyn Decoder, payloads: &[&[u8]]) -> Result<Decoded, BadRow> {
    let first = match decoder.decode(payloads) {
        Ok(all) => return Ok(all),
        Err(bad) => bad,
    };
    let mut parts: Vec<(usize, Decoded)> = Vec::new();
    let mut skipped = Vec::new();
    let (mut start, mut bad) = (0, first);
    loop {
        // All before the bad one are good.
        let at = (start + bad.payload).min(payloads.len().saturating_sub(1));
        if at > start {
            parts.push((start, decoder.decode(&payloads[start..at])?));
        }
        skipped.push(BadRow { payload: at, ..bad });
        start = at + 1;
        if start >= payloads.len() {
            break;
        }
        match decoder.decode(&payloads[start..]) {
            Ok(rest) => {
                parts.push((start, rest));
                break;
            }
            Err(next) => bad = next,
        }
    }
    let mut origins: Vec<u32> = Vec::new();
    let mut weights: Option<Vec<i64>> = None;
    let mut batches = Vec::new();
    for (start, part) in parts {
        let rows = part.rows.num_rows();
        let of = part
            .origins
            .unwrap_or_else(|| (0u32..).take(rows).collect());
        origins.extend(of.into_iter().map(|o| o + start as u32));
        if let Some(of) = &part.weights {
            weights.get_or_insert_default().extend(of.values());
        }
        let of = part.skipped.into_iter();
        skipped.extend(of.map(|bad| BadRow {
            payload: bad.payload + start,
            ..bad
        }));
        batches.push(part.rows);
    }
    skipped.sort_by_key(|bad| bad.payload);
    let rows = match batches.first() {
        None => RecordBatch::new_empty(decoder.schema()),
        Some(first) => {
            arrow::compute::concat_batches(&first.schema(), &batches).map_err(|e| BadRow {
                payload: 0,
                field: None,
                reason: e.to_string(),
            })?
        }
    };
    Ok(Decoded {
        rows,
        origins: Some(origins),
        weights: weights.map(Int64Array::from),
        skipped,
    })
}

/// Finds the records of a file or stream of bytes.
pub trait Framer: Send {
    /// Appends the byte range of each whole record at the front of `buffer` to `frames` and returns how many bytes were
    /// used up; the rest is passed in again, with more after it. `at_end`: no more bytes follow, so the rest is a record.
    fn frames(&self, buffer: &[u8], at_end: bool, frames: &mut Vec<Range<usize>>) -> usize;
}

/// A format and its options, checked, for one table.
pub trait Format: Send + Sync {
    /// A decoder of the columns `projection` (indexes into the table's physical schema given at [`format()`], ascending).
    fn decoder(&self, projection: &[usize]) -> Box<dyn Decoder>;

    /// An encoder of whole rows of the schema given at [`format()`].
    fn encoder(&self) -> Box<dyn Encoder>;

    /// The record finder for files of this format.
    fn framer(&self) -> Box<dyn Framer>;

    /// Whether payloads say which rows go, so that retractions can be read and written.
    fn is_changelog(&self) -> bool {
        false
    }

    /// Whether a record without a value is a row of NULL.
    fn takes_null(&self) -> bool {
        false
    }

    /// Whether the first record of a file is no row.
    fn has_header(&self) -> bool {
        false
    }

    /// What stands before the first record of a file that is written, such as a header line (empty for most).
    fn file_header(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Why a whole file could not be read or written.
#[derive(Debug)]
pub enum FileFault {
    /// The system refused.
    Io(std::io::Error),
    /// What is in the file, or was to go there, is not fit.
    Content {
        /// The column at fault, where one is.
        column: Option<String>,
        /// What is wrong and what was expected.
        reason: String,
    },
}

/// A format of whole files: rows stand in them by column, so they are read and written in batches.
pub trait ColumnarFormat: Send + Sync {
    /// Reads the columns `projection` (indexes into the schema given at [`file_format()`], ascending) of `file`, from row
    /// `first_row` on, so many rows at a time at most. Columns are found by name; those that the file lacks are NULL.
    ///
    /// # Errors
    /// A file of another format; a column of a type that does not fit.
    fn reader(
        &self,
        file: File,
        projection: &[usize],
        first_row: u64,
        batch_rows: usize,
    ) -> Result<Box<dyn ColumnarReader>, FileFault>;

    /// Writes a file of whole rows of the schema given at [`file_format()`].
    ///
    /// # Errors
    /// What the schema cannot be written for (a bug: it was checked).
    fn writer(&self, out: Box<dyn Write + Send>) -> Result<Box<dyn ColumnarWriter>, FileFault>;
}

/// Reads one file.
pub trait ColumnarReader: Send {
    /// Rows the file has in all.
    fn total_rows(&self) -> u64;

    /// The next rows, columns as asked for; `None` at the end.
    ///
    /// # Errors
    /// A broken file; a value that does not fit its column.
    fn next_rows(&mut self) -> Result<Option<RecordBatch>, FileFault>;
}

/// Writes one file, which is whole only when it is finished.
pub trait ColumnarWriter: Send {
    /// Takes rows; most of them stay in memory for a while.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn write(&mut self, rows: &RecordBatch) -> Result<(), FileFault>;

    /// How large the file is by now, with what is still in memory.
    fn size(&self) -> u64;

    /// Bytes of memory that rows not written out take up.
    fn held(&self) -> usize;

    /// Writes out the rows in memory.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn write_out(&mut self) -> Result<(), FileFault>;

    /// Writes out everything and ends the file.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn finish(self: Box<Self>) -> Result<(), FileFault>;
}

/// A format that files can have.
#[derive(Clone)]
pub enum FileFormat {
    /// Of records one after another.
    Records(Arc<dyn Format>),
    /// Of columns.
    Columns(Arc<dyn ColumnarFormat>),
}

/// The names of the formats that records can have, wherever they come from.
pub const NAMES: &[&str] = &["csv", "debezium-json", "json", "raw"];

/// The names of all formats that files can have.
pub const FILE_NAMES: &[&str] = &["csv", "debezium-json", "json", "raw", "parquet"];

/// Makes the format `name` for files of rows of `schema`, as [`format()`] does.
///
/// # Errors
/// As [`format()`].
pub fn file_format(
    name: &str,
    prefix: &str,
    options: &Options,
    schema: SchemaRef,
) -> Result<FileFormat, OptionError> {
    if name == "parquet" {
        let format = parquet::format(&format!("{prefix}parquet."), options, schema)?;
        return Ok(FileFormat::Columns(format));
    }
    if !NAMES.contains(&name) {
        return Err(unknown(name, FILE_NAMES));
    }
    Ok(FileFormat::Records(
        format(name, prefix, options, schema)?.into(),
    ))
}

/// Makes the format `name` for rows of `schema`. Its options are read under `prefix` + name + `.` (Flink's
/// `json.ignore-parse-errors`; with `key.` or `value.` before it where the connector reads key and value).
///
/// # Errors
/// Unknown format, bad option, or a column type that the format does not support.
pub fn format(
    name: &str,
    prefix: &str,
    options: &Options,
    schema: SchemaRef,
) -> Result<Box<dyn Format>, OptionError> {
    let prefix = format!("{prefix}{name}.");
    match name {
        "json" => json::format(&prefix, options, schema),
        "csv" => csv::format(&prefix, options, schema),
        "debezium-json" => debezium::format(&prefix, options, schema),
        "raw" => raw::format(&prefix, options, schema),
        "parquet" => Err(OptionError::new(
            &format_key(&prefix),
            "'parquet' is a format of whole files, it cannot hold single records",
        )
        .with_help(format!(
            "the connector 'filesystem' reads and writes it; here the formats are: {}",
            NAMES.join(", ")
        ))),
        _ => Err(unknown(name, NAMES)),
    }
}

fn unknown(name: &str, known: &[&str]) -> OptionError {
    OptionError::new("format", format!("unknown format '{name}'")).with_help(
        match crate::catalog::closest(name, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("the formats are: {}", known.join(", ")),
        },
    )
}

/// Rows as JSON objects with the default options of the `json` format, for sinks that show rows (`print`) or capture
/// them. A type that has no JSON form is an error when rows are encoded.
pub fn json_row_encoder(schema: SchemaRef) -> Box<dyn Encoder> {
    json::row_encoder(schema)
}

/// The fields `projection` of `schema`; indexes beyond its end are left out.
fn project(schema: &SchemaRef, projection: &[usize]) -> SchemaRef {
    let fields: Vec<_> = projection
        .iter()
        .filter_map(|i| schema.fields().get(*i).cloned())
        .collect();
    Arc::new(Schema::new(fields))
}

/// The option that chose the format whose options begin with `prefix`: `json.` is of `format`, `value.json.` of
/// `value.format`.
fn format_key(prefix: &str) -> String {
    let outer = prefix
        .trim_end_matches('.')
        .rsplit_once('.')
        .map_or("", |(outer, _)| outer);
    if outer.is_empty() {
        "format".to_string()
    } else {
        format!("{outer}.format")
    }
}
