//! The `debezium-json` format: each payload is an event with the row before, the row after and what happened (`op`), read and
//! written as Flink's debezium-json format does.
//!
//! Read: `c` and `r` insert the row after, `u` retracts the row before and inserts the row after, `d` retracts the row before.
//! Written: an inserted row as `c`, a retracted one as `d` (Flink writes both halves of an update so too).
//!
//! Options, below `debezium-json.`: `schema-include` (the event stands in a field `payload`, as Kafka Connect writes it with its
//! schema; for reading only), and those of the `json` format.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray,
    UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};

use super::{BadRow, Decoded, Decoder, Encoded, Encoder, Format, Framer, json, project};
use crate::catalog::options::{OptionError, Options};

struct Debezium {
    schema: SchemaRef,
    makes_json: JsonMaker,
    ignore_parse_errors: bool,
    in_payload: bool,
}

/// Makes the json format of the event around rows of a schema.
type JsonMaker = Box<dyn Fn(SchemaRef) -> Box<dyn Format> + Send + Sync>;

pub(super) fn format(
    prefix: &str,
    options: &Options,
    schema: SchemaRef,
) -> Result<Box<dyn Format>, OptionError> {
    let key = format!("{prefix}schema-include");
    let in_payload = options.bool(&key, false)?;
    let ignore_parse_errors = options.bool(&format!("{prefix}ignore-parse-errors"), false)?;
    let makes = json::maker(prefix, options, &schema)?;
    Ok(Box::new(Debezium {
        makes_json: Box::new(move |schema| makes(schema)),
        schema,
        ignore_parse_errors,
        in_payload,
    }))
}

/// The columns of an event around rows of `schema`.
fn event(schema: &Schema, in_payload: bool) -> SchemaRef {
    let columns = schema.fields().iter();
    let nullable: Fields = columns
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    let row = DataType::Struct(nullable);
    let fields = vec![
        Field::new("before", row.clone(), true),
        Field::new("after", row, true),
        Field::new("op", DataType::Utf8, true),
    ];
    if in_payload {
        let payload = Field::new("payload", DataType::Struct(fields.into()), true);
        return Arc::new(Schema::new(vec![payload]));
    }
    Arc::new(Schema::new(fields))
}

impl Debezium {
    /// The json format of events around whole rows.
    fn events(&self) -> Box<dyn Format> {
        (self.makes_json)(event(&self.schema, false))
    }
}

impl Format for Debezium {
    fn decoder(&self, projection: &[usize]) -> Box<dyn Decoder> {
        let schema = project(&self.schema, projection);
        let event = event(&schema, self.in_payload);
        let all: Vec<usize> = (0..event.fields().len()).collect();
        Box::new(EventDecoder {
            events: (self.makes_json)(event).decoder(&all),
            schema,
            ignore_parse_errors: self.ignore_parse_errors,
            in_payload: self.in_payload,
        })
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(EventEncoder {
            events: self.events().encoder(),
            schema: event(&self.schema, false),
        })
    }

    fn framer(&self) -> Box<dyn Framer> {
        self.events().framer()
    }

    fn is_changelog(&self) -> bool {
        true
    }
}

struct EventDecoder {
    events: Box<dyn Decoder>,
    schema: SchemaRef,
    ignore_parse_errors: bool,
    in_payload: bool,
}

/// A row of the result: whether it is the one after, its number among the events, its weight.
type Part = (bool, u32, i64);

impl Decoder for EventDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[&[u8]]) -> Result<Decoded, BadRow> {
        let mut decoded = self.events.decode(payloads)?;
        let payload_of = |row: usize| decoded.origins.as_ref().map_or(row, |o| o[row] as usize);
        let events = decoded.rows.num_rows();
        let bad = |row: usize, field: &str, reason: String| BadRow {
            payload: payload_of(row),
            field: Some(field.to_string()),
            reason,
        };
        let columns = if self.in_payload {
            decoded.rows.column(0).as_struct().columns().to_vec()
        } else {
            decoded.rows.columns().to_vec()
        };
        let [before, after, op] = columns.as_slice() else {
            return Err(bad(0, "op", "the event has no before, after and op".into()));
        };
        let (before, after) = (before.as_struct(), after.as_struct());
        let op = op.as_string::<i32>();
        let (mut parts, mut skipped): (Vec<Part>, Vec<BadRow>) = (Vec::new(), Vec::new());
        for row in 0..events {
            let number = row as u32;
            let kind = if op.is_valid(row) { op.value(row) } else { "" };
            let wanted: &[(bool, i64)] = match kind {
                "c" | "r" => &[(true, 1)],
                "u" => &[(false, -1), (true, 1)],
                "d" => &[(false, -1)],
                other => {
                    let reason = format!("'{other}' is no operation: c, r, u and d are");
                    skipped.push(bad(row, "op", reason));
                    continue;
                }
            };
            let missing = wanted.iter().find(|(is_after, _)| {
                if *is_after {
                    after.is_null(row)
                } else {
                    before.is_null(row)
                }
            });
            match missing {
                Some((true, _)) => skipped.push(bad(row, "after", format!("the row after is missing in an event of operation '{kind}'"))),
                Some((false, _)) => skipped.push(bad(
                    row,
                    "before",
                    format!(
                        "the row before is missing in an event of operation '{kind}': let the database log whole rows \
                         (PostgreSQL: REPLICA IDENTITY FULL)"
                    ),
                )),
                None => parts.extend(wanted.iter().map(|(is_after, weight)| (*is_after, number, *weight))),
            }
        }
        if let (false, Some(first)) = (self.ignore_parse_errors, skipped.first()) {
            return Err(first.clone());
        }
        let rows = self
            .rows(before, after, &parts)
            .map_err(|(part, field, reason)| {
                bad(parts.get(part).map_or(0, |p| p.1 as usize), &field, reason)
            })?;
        let origins = parts
            .iter()
            .map(|(_, row, _)| payload_of(*row as usize) as u32)
            .collect();
        let weights: Int64Array = parts
            .iter()
            .map(|(.., weight)| *weight)
            .collect::<Vec<_>>()
            .into();
        decoded.skipped.extend(skipped);
        Ok(Decoded {
            rows,
            origins: Some(origins),
            weights: Some(weights),
            skipped: decoded.skipped,
        })
    }
}

impl EventDecoder {
    /// The rows of the parts, or the part, field and reason that there are none.
    fn rows(
        &self,
        before: &StructArray,
        after: &StructArray,
        parts: &[Part],
    ) -> Result<RecordBatch, (usize, String, String)> {
        let events = before.len() as u32;
        let places: UInt32Array = parts
            .iter()
            .map(|(is_after, row, _)| if *is_after { events + row } else { *row })
            .collect::<Vec<_>>()
            .into();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (i, field) in self.schema.fields().iter().enumerate() {
            let both = concat(&[before.column(i).as_ref(), after.column(i).as_ref()]);
            let column = both.and_then(|both| take(&both, &places, None));
            let column = column.map_err(|e| (0, field.name().clone(), e.to_string()))?;
            if !field.is_nullable() && column.null_count() > 0 {
                let at = (0..column.len()).find(|r| column.is_null(*r)).unwrap_or(0);
                return Err((at, field.name().clone(), "NULL in a NOT NULL column".into()));
            }
            columns.push(column);
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(parts.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| (0, String::new(), e.to_string()))
    }
}

struct EventEncoder {
    events: Box<dyn Encoder>,
    schema: SchemaRef,
}

impl Encoder for EventEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Encoded) -> Result<(), BadRow> {
        let none = BooleanArray::from(vec![false; rows.num_rows()]);
        self.encode_changes(rows, &none, out)
    }

    fn encode_changes(
        &mut self,
        rows: &RecordBatch,
        deleted: &BooleanArray,
        out: &mut Encoded,
    ) -> Result<(), BadRow> {
        let whole = |reason: String| BadRow {
            payload: 0,
            field: None,
            reason,
        };
        let DataType::Struct(fields) = self.schema.field(0).data_type() else {
            return Err(whole("no row in the event".into()));
        };
        let side = |is_there: Vec<bool>| {
            StructArray::try_new(
                fields.clone(),
                rows.columns().to_vec(),
                Some(NullBuffer::from(is_there)),
            )
            .map_err(|e| whole(e.to_string()))
        };
        let before = side(deleted.values().iter().collect())?;
        let after = side(deleted.values().iter().map(|d| !d).collect())?;
        let op: StringArray = deleted
            .values()
            .iter()
            .map(|d| Some(if d { "d" } else { "c" }))
            .collect();
        let events = RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![Arc::new(before), Arc::new(after), Arc::new(op)],
        );
        self.events
            .encode(&events.map_err(|e| whole(e.to_string()))?, out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn debezium(options: &[(&str, &str)]) -> Box<dyn Format> {
        let pairs = options.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        let options = Options::new(pairs.collect::<BTreeMap<_, _>>());
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int32, false),
            Field::new("v", DataType::Utf8, true),
        ]);
        format("debezium-json.", &options, Arc::new(schema))
            .unwrap_or_else(|e| panic!("{}", e.message))
    }

    fn decode(format: &dyn Format, payloads: &[&str]) -> Result<Vec<(i32, i64)>, BadRow> {
        let bytes: Vec<&[u8]> = payloads.iter().map(|p| p.as_bytes()).collect();
        let decoded = format.decoder(&[0, 1]).decode(&bytes)?;
        let ids = decoded
            .rows
            .column(0)
            .as_primitive::<arrow::datatypes::Int32Type>()
            .clone();
        let weights = decoded.weights.unwrap();
        Ok(ids
            .values()
            .iter()
            .copied()
            .zip(weights.values().iter().copied())
            .collect())
    }

    #[test]
    fn an_update_is_two_rows() {
        let events = [
            r#"{"before":null,"after":{"id":1,"v":"a"},"op":"c"}"#,
            r#"{"before":{"id":1,"v":"a"},"after":{"id":2,"v":"a"},"op":"u","ts_ms":5}"#,
            r#"{"before":{"id":2,"v":"a"},"after":null,"op":"d"}"#,
        ];
        let rows = decode(&*debezium(&[]), &events).unwrap();
        assert_eq!(rows, [(1, 1), (1, -1), (2, 1), (2, -1)]);
        let wrapped = format!(r#"{{"schema":{{}},"payload":{}}}"#, events[0]);
        let format = debezium(&[("debezium-json.schema-include", "true")]);
        assert_eq!(decode(&*format, &[&wrapped]).unwrap(), [(1, 1)]);
    }

    #[test]
    fn an_event_that_lacks_its_row_is_an_error_or_skipped() {
        let events = [
            r#"{"before":null,"after":{"id":1,"v":"a"},"op":"u"}"#,
            r#"{"before":null,"after":{"id":3,"v":"a"},"op":"c"}"#,
        ];
        let error = decode(&*debezium(&[]), &events).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("before"));
        let format = debezium(&[("debezium-json.ignore-parse-errors", "true")]);
        assert_eq!(decode(&*format, &events).unwrap(), [(3, 1)]);
        let odd = decode(&*debezium(&[]), &[r#"{"op":"x"}"#]).unwrap_err();
        assert!(odd.reason.contains("'x' is no operation"), "{}", odd.reason);
    }

    #[test]
    fn rows_are_written_as_creations_and_deletions() {
        let ids: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![1, 1]));
        let vs: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let rows = RecordBatch::try_from_iter([("id", ids), ("v", vs)]).unwrap();
        let mut out = Encoded::default();
        let deleted = BooleanArray::from(vec![true, false]);
        debezium(&[])
            .encoder()
            .encode_changes(&rows, &deleted, &mut out)
            .unwrap();
        let texts: Vec<&str> = out
            .payloads()
            .map(|p| std::str::from_utf8(p).unwrap())
            .collect();
        assert_eq!(
            texts,
            [
                r#"{"before":{"id":1,"v":"a"},"after":null,"op":"d"}"#,
                r#"{"before":null,"after":{"id":1,"v":"b"},"op":"c"}"#,
            ]
        );
    }
}
