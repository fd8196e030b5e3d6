//! Bytes to `RecordBatch` and back: one module a format, Flink's option names and rules.

mod cells;
mod column;
mod csv;
mod debezium;
mod json;
mod lines;
mod raw;
pub mod text;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};

use crate::catalog::options::{OptionError, Options};

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

/// Finds the records of a file or stream of bytes.
pub trait Framer: Send {
    /// Appends the byte range of each whole record at the front of `buffer` to `frames` and returns how many bytes were
    /// used up; the rest is passed in again, with more behind it. `at_end`: no more bytes follow, so the rest is a record.
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

    /// What stands before the first record of a file, such as a header line (empty for most).
    fn file_header(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// The names of all formats.
pub const NAMES: &[&str] = &["csv", "debezium-json", "json", "raw"];

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
        _ => Err(
            OptionError::new("format", format!("unknown format '{name}'")).with_help(
                match crate::catalog::closest(name, NAMES.iter().copied()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("the formats are: {}", NAMES.join(", ")),
                },
            ),
        ),
    }
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
