//! Rows to CSV, byte for byte as Flink writes it.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::super::cells::{Cells, PlainStyle, Values, items};
use super::super::text::TimestampStyle;
use super::super::{BadRow, Encoded, Encoder};
use super::CsvOptions;
use super::frame::bytes_of;

pub(super) struct CsvEncoder {
    schema: SchemaRef,
    options: CsvOptions,
    style: PlainStyle,
    delimiter: Vec<u8>,
    array_delimiter: Vec<u8>,
    text: Vec<u8>,
}

/// Longer values (in UTF-16 units) are quoted without a look at what is in them, as Jackson does.
const LOOKED_THROUGH: usize = 24;

impl CsvEncoder {
    pub(super) fn new(schema: SchemaRef, options: CsvOptions) -> Self {
        Self {
            schema,
            style: PlainStyle {
                timestamps: TimestampStyle::Sql,
                plain_decimals: !options.scientific_decimals,
            },
            delimiter: bytes_of(options.delimiter),
            array_delimiter: bytes_of(options.array_delimiter),
            options,
            text: Vec::new(),
        }
    }

    fn null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            self.options
                .null_literal
                .as_deref()
                .unwrap_or("")
                .as_bytes(),
        );
    }

    fn field(&mut self, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        if cells.is_null(row) {
            return self.null(out);
        }
        let bare = matches!(
            &cells.values,
            Values::Bool(_)
                | Values::Int8(_)
                | Values::Int16(_)
                | Values::Int32(_)
                | Values::Int64(_)
                | Values::Float32(_)
                | Values::Float64(_)
                | Values::Decimal(..)
        );
        if bare {
            return cells.write_plain(row, self.style, out);
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        match &cells.values {
            Values::List(offsets, child) => {
                let range = items(offsets, row);
                for item in range.clone() {
                    self.part(child, item, item > range.start, &mut text);
                }
            }
            Values::Row(members) => {
                for (index, (_, cells)) in members.iter().enumerate() {
                    self.part(cells, row, index > 0, &mut text);
                }
            }
            _ => cells.write_plain(row, self.style, &mut text),
        }
        self.quote(&text, out);
        self.text = text;
    }

    fn part(&self, cells: &Cells<'_>, row: usize, delimited: bool, out: &mut Vec<u8>) {
        if delimited {
            out.extend_from_slice(&self.array_delimiter);
        }
        match cells.is_null(row) {
            true => self.null(out),
            false => cells.write_plain(row, self.style, out),
        }
    }

    /// Writes `text`, in quotes if it is long or has a character up to the larger of quote and delimiter, or an escape
    /// character, or a backslash.
    fn quote(&self, text: &[u8], out: &mut Vec<u8>) {
        let (Some(quote), Ok(text)) = (self.options.quote, std::str::from_utf8(text)) else {
            return out.extend_from_slice(text);
        };
        let unsafe_to = quote.max(self.options.delimiter);
        let suspect = |c: char| c <= unsafe_to || c == '\\' || Some(c) == self.options.escape;
        let long = text.len() > LOOKED_THROUGH && text.encode_utf16().nth(LOOKED_THROUGH).is_some();
        if !long && !text.contains(suspect) {
            return out.extend_from_slice(text.as_bytes());
        }
        let mut buffer = [0; 4];
        let mark = quote.encode_utf8(&mut buffer).as_bytes();
        out.extend_from_slice(mark);
        for c in text.chars() {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            if c == quote || Some(c) == self.options.escape {
                out.extend_from_slice(bytes);
            }
            out.extend_from_slice(bytes);
        }
        out.extend_from_slice(mark);
    }
}

impl Encoder for CsvEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Encoded) -> Result<(), BadRow> {
        let mut columns = Vec::with_capacity(rows.num_columns());
        for (field, array) in self.schema.fields().iter().zip(rows.columns()) {
            columns.push(Cells::new(array).map_err(|reason| BadRow {
                payload: 0,
                field: Some(field.name().clone()),
                reason,
            })?);
        }
        out.ends.reserve(rows.num_rows());
        for row in 0..rows.num_rows() {
            for (index, cells) in columns.iter().enumerate() {
                if index > 0 {
                    out.bytes.extend_from_slice(&self.delimiter);
                }
                self.field(cells, row, &mut out.bytes);
            }
            out.ends.push(out.bytes.len());
        }
        Ok(())
    }
}
