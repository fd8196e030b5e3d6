//! Rows to JSON, byte for byte as Flink writes it.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::super::cells::{Cells, PlainStyle, Values, items};
use super::super::{BadRow, Encoded, Encoder};
use super::JsonOptions;
use super::compact::{write_double, write_string};

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

impl JsonEncoder {
    pub(super) fn new(schema: SchemaRef, options: JsonOptions) -> Self {
        let keys = schema.fields().iter().map(|f| Key::new(f)).collect();
        let style = PlainStyle {
            timestamps: options.style,
            plain_decimals: options.plain_decimals,
        };
        Self {
            schema,
            keys,
            options,
            style,
        }
    }

    fn value(&self, cells: &Cells<'_>, key: &Key, row: usize, out: &mut Vec<u8>) {
        if cells.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match &cells.values {
            Values::Text(values) => write_string(values.value(row).as_bytes(), true, out),
            Values::Float64(values) => write_double(values[row], out),
            Values::Float32(values) if !values[row].is_finite() => {
                write_double(f64::from(values[row]), out)
            }
            Values::Binary(_) | Values::Date(_) | Values::Time(..) | Values::Timestamp(..) => {
                out.push(b'"');
                cells.write_plain(row, self.style, out);
                out.push(b'"');
            }
            Values::Row(members) => self.object(members, &key.parts, row, out),
            Values::List(offsets, child) => {
                out.push(b'[');
                let range = items(offsets, row);
                for (item, key) in range.clone().zip(key.parts.iter().cycle()) {
                    if item > range.start {
                        out.push(b',');
                    }
                    self.value(child, key, item, out);
                }
                out.push(b']');
            }
            Values::Map(offsets, keys, values) => {
                out.push(b'{');
                let range = items(offsets, row);
                for (entry, key) in range.clone().zip(key.parts.iter().cycle()) {
                    if entry > range.start {
                        out.push(b',');
                    }
                    write_string(keys.value(entry).as_bytes(), true, out);
                    out.push(b':');
                    self.value(values, key, entry, out);
                }
                out.push(b'}');
            }
            _ => cells.write_plain(row, self.style, out),
        }
    }

    fn object(&self, members: &[(&str, Cells<'_>)], keys: &[Key], row: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for ((_, cells), key) in members.iter().zip(keys) {
            if self.options.ignore_null_fields && cells.is_null(row) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(&key.text);
            self.value(cells, key, row, out);
        }
        out.push(b'}');
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Encoded) -> Result<(), BadRow> {
        let member = |(field, array)| {
            let field: &Field = field;
            let array: &dyn Array = array;
            match Cells::new(array) {
                Ok(cells) => Ok((field.name().as_str(), cells)),
                Err(reason) => Err(BadRow {
                    payload: 0,
                    field: Some(field.name().clone()),
                    reason,
                }),
            }
        };
        let fields = self.schema.fields().iter().map(|f| &**f);
        let members = fields
            .zip(rows.columns().iter().map(|c| &**c))
            .map(member)
            .collect::<Result<Vec<_>, _>>()?;
        out.ends.reserve(rows.num_rows());
        for row in 0..rows.num_rows() {
            self.object(&members, &self.keys, row, &mut out.bytes);
            out.ends.push(out.bytes.len());
        }
        Ok(())
    }
}
