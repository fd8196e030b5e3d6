//! The `raw` format: the payload is the value of the table's one column.
//!
//! Options, below `raw.`: `endianness` (`big-endian`, `little-endian`) of numbers, and `charset`, which must be UTF-8.
//! STRING takes the payload as it is (bytes that are not UTF-8 are an error; BYTES takes them), numbers their bytes,
//! BOOLEAN one byte. Files hold one value a line. NULL is written as an empty payload.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use super::cells::{Cells, Values};
use super::column::{self, Column, Data, TOO_LARGE};
use super::{
    BadRow, Decoded, Decoder, Encoded, Encoder, Format, Framer, format_key, lines, project,
};
use crate::catalog::options::{OptionError, Options};

struct Raw {
    schema: SchemaRef,
    big_endian: bool,
}

pub(super) fn format(
    prefix: &str,
    options: &Options,
    schema: SchemaRef,
) -> Result<Box<dyn Format>, OptionError> {
    let charset = format!("{prefix}charset");
    if let Some(name) = options.get(&charset)
        && !["utf-8", "utf8"].contains(&name.trim().to_ascii_lowercase().as_str())
    {
        let message = format!("'{charset}' = '{name}': only UTF-8 is supported");
        return Err(OptionError::new(&charset, message)
            .with_help("declare the column as BYTES to take any bytes"));
    }
    let endianness = format!("{prefix}endianness");
    let big_endian = options.choice(&endianness, "big-endian", &["big-endian", "little-endian"])?
        == "big-endian";
    let key = format_key(prefix);
    let [field] = &schema.fields()[..] else {
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        return Err(OptionError::new(
            &key,
            format!(
                "the raw format takes exactly one physical column, not {} ({})",
                names.len(),
                names.join(", ")
            ),
        ));
    };
    match field.data_type() {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary => Ok(Box::new(Raw { schema, big_endian })),
        other => Err(OptionError::new(
            &key,
            format!(
                "column '{}': the raw format does not support the type {other}",
                field.name()
            ),
        )),
    }
}

impl Format for Raw {
    fn decoder(&self, projection: &[usize]) -> Box<dyn Decoder> {
        let schema = project(&self.schema, projection);
        let columns = column::columns(&schema).unwrap_or_default();
        Box::new(RawDecoder {
            schema,
            columns,
            big_endian: self.big_endian,
        })
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(RawEncoder {
            schema: self.schema.clone(),
            big_endian: self.big_endian,
        })
    }

    fn framer(&self) -> Box<dyn Framer> {
        Box::new(lines::Lines { skip_empty: false })
    }

    fn takes_null(&self) -> bool {
        true
    }
}

struct RawDecoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    big_endian: bool,
}

impl Decoder for RawDecoder {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn decode(&mut self, payloads: &[&[u8]]) -> Result<Decoded, BadRow> {
        for (index, payload) in payloads.iter().enumerate() {
            for (column, field) in self.columns.iter_mut().zip(self.schema.fields()) {
                if let Err(reason) = append(column, payload, self.big_endian) {
                    self.columns.iter_mut().for_each(|c| c.truncate(0));
                    return Err(BadRow {
                        payload: index,
                        field: Some(field.name().clone()),
                        reason,
                    });
                }
            }
        }
        let rows =
            column::finish(&self.schema, &mut self.columns, payloads.len()).map_err(|e| {
                BadRow {
                    payload: 0,
                    field: None,
                    reason: e.to_string(),
                }
            })?;
        Ok(Decoded {
            weights: None,
            rows,
            origins: None,
            skipped: Vec::new(),
        })
    }
}

fn append(column: &mut Column, payload: &[u8], big: bool) -> Result<(), String> {
    macro_rules! number {
        ($values:expr, $kind:ty, $name:literal) => {{
            let Ok(bytes) = payload.try_into() else {
                let expected = size_of::<$kind>();
                return Err(format!(
                    "expected {expected} bytes for {}, found {}",
                    $name,
                    payload.len()
                ));
            };
            $values.push(if big {
                <$kind>::from_be_bytes(bytes)
            } else {
                <$kind>::from_le_bytes(bytes)
            });
        }};
    }
    match &mut column.data {
        Data::Bool(values) => match payload {
            [byte] => values.append(*byte != 0),
            _ => {
                return Err(format!(
                    "expected 1 byte for BOOLEAN, found {}",
                    payload.len()
                ));
            }
        },
        Data::Int8(values) => number!(values, i8, "TINYINT"),
        Data::Int16(values) => number!(values, i16, "SMALLINT"),
        Data::Int32(values) => number!(values, i32, "INT"),
        Data::Int64(values) => number!(values, i64, "BIGINT"),
        Data::Float32(values) => number!(values, f32, "FLOAT"),
        Data::Float64(values) => number!(values, f64, "DOUBLE"),
        Data::Bytes { binary, .. } => {
            if !*binary && simdutf8::basic::from_utf8(payload).is_err() {
                return Err(
                    "the payload is not valid UTF-8; declare the column as BYTES to take any bytes"
                        .to_string(),
                );
            }
            return if column.append_bytes(payload) {
                Ok(())
            } else {
                Err(TOO_LARGE.to_string())
            };
        }
        _ => return Err("the raw format does not support the column's type".to_string()),
    }
    column.mark_valid();
    Ok(())
}

struct RawEncoder {
    schema: SchemaRef,
    big_endian: bool,
}

impl Encoder for RawEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Encoded) -> Result<(), BadRow> {
        let bad = |reason: String| BadRow {
            payload: 0,
            field: self.schema.fields().first().map(|f| f.name().clone()),
            reason,
        };
        let array = rows
            .columns()
            .first()
            .ok_or_else(|| bad("the batch has no column".to_string()))?;
        let cells = Cells::new(array).map_err(bad)?;
        let big = self.big_endian;
        let bytes = &mut out.bytes;
        macro_rules! number {
            ($value:expr) => {
                bytes.extend_from_slice(&if big {
                    $value.to_be_bytes()
                } else {
                    $value.to_le_bytes()
                })
            };
        }
        for row in 0..rows.num_rows() {
            if !cells.is_null(row) {
                match &cells.values {
                    Values::Bool(values) => bytes.push(u8::from(values.value(row))),
                    Values::Int8(values) => number!(values[row]),
                    Values::Int16(values) => number!(values[row]),
                    Values::Int32(values) => number!(values[row]),
                    Values::Int64(values) => number!(values[row]),
                    Values::Float32(values) => number!(values[row]),
                    Values::Float64(values) => number!(values[row]),
                    Values::Text(values) => bytes.extend_from_slice(values.value(row).as_bytes()),
                    Values::Binary(values) => bytes.extend_from_slice(values.value(row)),
                    _ => {
                        return Err(bad(
                            "the raw format does not support the column's type".to_string()
                        ));
                    }
                }
            }
            out.ends.push(bytes.len());
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn schema(types: &[DataType]) -> SchemaRef {
        let fields: Vec<_> = types
            .iter()
            .enumerate()
            .map(|(i, t)| Field::new(format!("c{i}"), t.clone(), true))
            .collect();
        Arc::new(Schema::new(fields))
    }

    fn raw(types: &[DataType], options: &[(&str, &str)]) -> Result<Box<dyn Format>, OptionError> {
        let options = options
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        format("raw.", &Options::new(options), schema(types))
    }

    #[test]
    fn values_are_their_bytes() {
        for (kind, little, payload) in [
            (DataType::Boolean, false, &b"\x01"[..]),
            (DataType::Int8, false, b"\xff"),
            (DataType::Int16, false, b"\x01\x02"),
            (DataType::Int32, true, b"\x01\x02\x03\x04"),
            (DataType::Int64, false, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
            (DataType::Float32, false, b"\x3f\x80\x00\x00"),
            (DataType::Float64, true, b"\x00\x00\x00\x00\x00\x00\xf0\x3f"),
            (DataType::Utf8, false, "é".as_bytes()),
            (DataType::Utf8, false, b""),
            (DataType::Binary, false, b"\xff\x00"),
        ] {
            let endianness = if little {
                "little-endian"
            } else {
                "big-endian"
            };
            let format = raw(
                std::slice::from_ref(&kind),
                &[("raw.endianness", endianness)],
            )
            .unwrap();
            let decoded = format.decoder(&[0]).decode(&[payload, payload]).unwrap();
            assert_eq!((decoded.rows.num_rows(), decoded.origins), (2, None));
            let mut out = Encoded::default();
            format.encoder().encode(&decoded.rows, &mut out).unwrap();
            assert_eq!(
                out.payloads().collect::<Vec<_>>(),
                [payload, payload],
                "{kind}"
            );
        }
        let format = raw(&[DataType::Int32], &[]).unwrap();
        let decoded = format.decoder(&[0]).decode(&[b"\0\0\x01\0"]).unwrap();
        assert_eq!(
            format!("{:?}", decoded.rows.column(0)),
            "PrimitiveArray<Int32>\n[\n  256,\n]"
        );
        assert_eq!(
            format
                .decoder(&[])
                .decode(&[b"x", b""])
                .unwrap()
                .rows
                .num_rows(),
            2
        );
    }

    #[test]
    fn mistakes_are_told() {
        for (types, options, part) in [
            (vec![], vec![], "exactly one physical column"),
            (vec![DataType::Utf8, DataType::Utf8], vec![], "c0, c1"),
            (vec![DataType::Date32], vec![], "does not support the type"),
            (
                vec![DataType::Utf8],
                vec![("raw.charset", "latin1")],
                "only UTF-8",
            ),
            (
                vec![DataType::Utf8],
                vec![("raw.endianness", "middle")],
                "expected one of",
            ),
        ] {
            let error = raw(&types, &options).err().unwrap();
            assert!(error.message.contains(part), "{error:?}");
        }
        let mut decoder = raw(&[DataType::Int32], &[("raw.charset", "UTF-8")])
            .unwrap()
            .decoder(&[0]);
        let bad = decoder.decode(&[b"1234", b"123"]).unwrap_err();
        assert_eq!((bad.payload, bad.field.as_deref()), (1, Some("c0")));
        assert_eq!(decoder.decode(&[b"1234"]).unwrap().rows.num_rows(), 1);
        let mut decoder = raw(&[DataType::Utf8], &[]).unwrap().decoder(&[0]);
        assert!(
            decoder
                .decode(&[b"\xff"])
                .unwrap_err()
                .reason
                .contains("UTF-8")
        );
    }
}
