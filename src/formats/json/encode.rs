//! Rows to JSON, byte for byte as Flink writes it.

use std::ops::Range;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::super::cells::{Cells, PlainStyle, Values, items};
use super::super::{BadRow, Encoded, Encoder};
use super::compact::{write_double, write_string};
use super::{JsonOptions, NullKey};

pub(super) struct JsonEncoder {
    schema: SchemaRef,
    keys: Vec<Key>,
    options: JsonOptions,
    style: PlainStyle,
}

/// What stands before a value, `"name":`, and the same of its parts.
struct Key {
    text: Vec<u8>,
    parts: Vec<Key>,
}

impl Key {
    fn new(field: &Field) -> Self {
        let mut text = Vec::with_capacity(field.name().len() + 3);
        write_string(field.name().as_bytes(), true, &mut text);
        text.push(b':');
        let parts = match field.data_type() {
            DataType::Struct(fields) => fields.iter().map(|f| Self::new(f)).collect(),
            DataType::List(item) => vec![Self::new(item)],
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => fields.iter().skip(1).map(|f| Self::new(f)).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        Self { text, parts }
    }
}

/// What cannot be written, as a path and a reason.
type Written = Result<(), (String, String)>;

fn at(name: &str, (path, reason): (String, String)) -> (String, String) {
    let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
    (format!("{name}{dot}{path}"), reason)
}

impl JsonEncoder {
    pub(super) fn new(schema: SchemaRef, options: JsonOptions) -> Self {
        let keys = schema.fields().iter().map(|f| Key::new(f)).collect();
        let style = PlainStyle { timestamps: options.style, plain_decimals: options.plain_decimals };
        Self { schema, keys, options, style }
    }

    fn value(&self, cells: &Cells<'_>, key: &Key, row: usize, out: &mut Vec<u8>) -> Written {
        if cells.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &cells.values {
            Values::Text(values) => write_string(values.value(row).as_bytes(), true, out),
            Values::Float64(values) => write_double(values[row], out),
            Values::Float32(values) if !values[row].is_finite() => write_double(f64::from(values[row]), out),
            Values::Binary(_) | Values::Date(_) | Values::Time(..) | Values::Timestamp(..) => {
                out.push(b'"');
                cells.write_plain(row, self.style, out);
                out.push(b'"');
            }
            Values::Row(members) => return self.object(members, &key.parts, row, out),
            Values::List(offsets, child) => {
                let range = items(offsets, row);
                out.push(b'[');
                for item in range.clone() {
                    if item > range.start {
                        out.push(b',');
                    }
                    if let Some(key) = key.parts.first() {
                        self.value(child, key, item, out)
                            .map_err(|error| at(&format!("[{}]", item - range.start), error))?;
                    }
                }
                out.push(b']');
            }
            Values::Map(offsets, keys, values) => {
                if let Some(key) = key.parts.first() {
                    return self.map(items(offsets, row), keys, values, key, out);
                }
            }
            _ => cells.write_plain(row, self.style, out),
        }
        Ok(())
    }

    fn object(&self, members: &[(&str, Cells<'_>)], keys: &[Key], row: usize, out: &mut Vec<u8>) -> Written {
        out.push(b'{');
        let mut first = true;
        for ((name, cells), key) in members.iter().zip(keys) {
            if self.options.ignore_null_fields && cells.is_null(row) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(&key.text);
            self.value(cells, key, row, out).map_err(|error| at(name, error))?;
        }
        out.push(b'}');
        Ok(())
    }

    fn map(
        &self,
        entries: Range<usize>,
        keys: &StringArray,
        values: &Cells<'_>,
        key: &Key,
        out: &mut Vec<u8>,
    ) -> Written {
        let null_keys = entries.clone().any(|entry| keys.is_null(entry));
        let literal = match &self.options.map_null_key {
            NullKey::Literal(literal) => Some(literal.as_str()),
            NullKey::Drop => None,
            NullKey::Fail if !null_keys => None,
            NullKey::Fail => {
                let reason = "the map has a NULL key; 'map-null-key.mode' = 'DROP' or 'LITERAL' allows it";
                return Err((String::new(), reason.to_string()));
            }
        };
        let name = |entry: usize| if keys.is_null(entry) { literal } else { Some(keys.value(entry)) };
        out.push(b'{');
        let mut first = true;
        for entry in entries.clone() {
            let Some(text) = name(entry) else { continue };
            let mut from = entry;
            // The literal may be a key of its own: one member then, in the first one's place, with the last one's value.
            if null_keys && Some(text) == literal {
                if (entries.start..entry).any(|other| name(other) == literal) {
                    continue;
                }
                from = entries.clone().rfind(|other| name(*other) == literal).unwrap_or(entry);
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            write_string(text.as_bytes(), true, out);
            out.push(b':');
            self.value(values, key, from, out).map_err(|error| at(&format!("['{text}']"), error))?;
        }
        out.push(b'}');
        Ok(())
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Encoded) -> Result<(), BadRow> {
        let member = |(field, array)| {
            let field: &Field = field;
            let array: &dyn Array = array;
            match Cells::new(array) {
                Ok(cells) => Ok((field.name().as_str(), cells)),
                Err(reason) => Err(BadRow { payload: 0, field: Some(field.name().clone()), reason }),
            }
        };
        let fields = self.schema.fields().iter().map(|f| &**f);
        let members = fields.zip(rows.columns().iter().map(|c| &**c)).map(member).collect::<Result<Vec<_>, _>>()?;
        let (bytes, ends) = (out.bytes.len(), out.ends.len());
        out.ends.reserve(rows.num_rows());
        for row in 0..rows.num_rows() {
            if let Err((path, reason)) = self.object(&members, &self.keys, row, &mut out.bytes) {
                out.bytes.truncate(bytes);
                out.ends.truncate(ends);
                return Err(BadRow { payload: row, field: Some(path), reason });
            }
            out.ends.push(out.bytes.len());
        }
        Ok(())
    }
}
