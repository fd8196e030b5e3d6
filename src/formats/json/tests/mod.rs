//! The json format against what Flink gives: documents, errors and options. `types` has the types, `tree` compares with a
//! slow decoder built on a tree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tree;
mod types;

use std::sync::Arc;

use super::super::{BadRow, Decoded, Encoded, Format};
use super::*;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

pub(in crate::formats) use tree::rows_of;

/// A type by a short name; `!` after it: NOT NULL.
pub(in crate::formats) fn field(name: &str, kind: &str) -> Field {
    let (kind, nullable) = match kind.strip_suffix('!') {
        Some(kind) => (kind, false),
        None => (kind, true),
    };
    Field::new(name, data_type(kind), nullable)
}

fn data_type(kind: &str) -> DataType {
    let stamp = |unit, zoned: bool| DataType::Timestamp(unit, zoned.then(|| "UTC".into()));
    match kind {
        "BOOLEAN" => DataType::Boolean,
        "TINYINT" => DataType::Int8,
        "SMALLINT" => DataType::Int16,
        "INT" => DataType::Int32,
        "BIGINT" => DataType::Int64,
        "FLOAT" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "DECIMAL(5,2)" => DataType::Decimal128(5, 2),
        "DECIMAL(38,0)" => DataType::Decimal128(38, 0),
        "DECIMAL(38,18)" => DataType::Decimal128(38, 18),
        "STRING" => DataType::Utf8,
        "BYTES" => DataType::Binary,
        "DATE" => DataType::Date32,
        "TIME(0)" => DataType::Time32(TimeUnit::Second),
        "TIME(3)" => DataType::Time32(TimeUnit::Millisecond),
        "TIMESTAMP(0)" => stamp(TimeUnit::Second, false),
        "TIMESTAMP(3)" => stamp(TimeUnit::Millisecond, false),
        "TIMESTAMP(6)" => stamp(TimeUnit::Microsecond, false),
        "TIMESTAMP(9)" => stamp(TimeUnit::Nanosecond, false),
        "TIMESTAMP_LTZ(3)" => stamp(TimeUnit::Millisecond, true),
        "ROW<x INT,y STRING>" => {
            DataType::Struct(Fields::from(vec![field("x", "INT"), field("y", "STRING")]))
        }
        "ROW<x INT!>" => DataType::Struct(Fields::from(vec![field("x", "INT!")])),
        _ => {
            let inner = |prefix: &str| kind.strip_prefix(prefix).and_then(|k| k.strip_suffix('>'));
            if let Some(item) = inner("ARRAY<") {
                return DataType::List(Arc::new(field("item", item)));
            }
            let map = |key: &str, value: Field| {
                let entries = Fields::from(vec![field("key", &format!("{key}!")), value]);
                DataType::Map(
                    Arc::new(Field::new("entries", DataType::Struct(entries), false)),
                    false,
                )
            };
            if let Some(value) = inner("MAP<STRING,") {
                return map("STRING", field("value", value));
            }
            match kind {
                "MAP<INT,INT>" => map("INT", field("value", "INT")),
                "MULTISET<STRING>" => map("STRING", field("value", "INT!")),
                other => panic!("{other}"),
            }
        }
    }
}

pub(in crate::formats) fn schema(fields: &[(&str, &str)]) -> SchemaRef {
    Arc::new(Schema::new(
        fields.iter().map(|(n, t)| field(n, t)).collect::<Vec<_>>(),
    ))
}

fn json(fields: &[(&str, &str)], options: &[(&str, &str)]) -> Box<dyn Format> {
    let options = options
        .iter()
        .map(|(k, v)| (format!("json.{k}"), v.to_string()))
        .collect();
    format("json.", &Options::new(options), schema(fields)).unwrap()
}

fn decode(format: &dyn Format, width: usize, payloads: &[&[u8]]) -> Result<Decoded, BadRow> {
    format
        .decoder(&(0..width).collect::<Vec<_>>())
        .decode(payloads)
}

pub(in crate::formats) fn encoded(format: &dyn Format, rows: &RecordBatch) -> Vec<String> {
    let mut out = Encoded::default();
    format.encoder().encode(rows, &mut out).unwrap();
    out.payloads()
        .map(|p| String::from_utf8(p.to_vec()).unwrap())
        .collect()
}

const IGNORE: &[(&str, &str)] = &[("ignore-parse-errors", "true")];
const ISO: &[(&str, &str)] = &[("timestamp-format.standard", "ISO-8601")];
const FAIL: &[(&str, &str)] = &[("fail-on-missing-field", "true")];

/// What becomes of one document: its rows printed back, or the field and the beginning of the reason of its error.
fn outcome(
    fields: &[(&str, &str)],
    options: &[(&str, &str)],
    doc: &[u8],
) -> Result<Vec<String>, BadRow> {
    let format = json(fields, options);
    decode(&*format, fields.len(), &[doc]).map(|decoded| encoded(&*format, &decoded.rows))
}

fn accepts(fields: &[(&str, &str)], options: &[(&str, &str)], doc: &str, rows: &[&str]) {
    let found = outcome(fields, options, doc.as_bytes());
    assert_eq!(
        found.as_deref().map_err(|e| e.reason.clone()),
        Ok(&rows.iter().map(|r| r.to_string()).collect::<Vec<_>>()[..]),
        "{doc}"
    );
}

fn refuses(fields: &[(&str, &str)], options: &[(&str, &str)], doc: &str, at: Option<&str>) {
    let bad = outcome(fields, options, doc.as_bytes()).expect_err(doc);
    assert_eq!(
        (bad.payload, bad.field.as_deref()),
        (0, at),
        "{doc}: {}",
        bad.reason
    );
}

const AB: &[(&str, &str)] = &[("a", "INT"), ("b", "STRING")];

#[test]
fn documents() {
    for (doc, rows) in [
        ("", &[][..]),
        (" \t ", &[]),
        ("[]", &[]),
        ("[ null ]", &[]),
        (
            r#"[{"a":1},null,{"a":3}]"#,
            &[r#"{"a":1,"b":null}"#, r#"{"a":3,"b":null}"#],
        ),
        (r#"[{"a":1}] x"#, &[r#"{"a":1,"b":null}"#]),
        (r#"{"a":1} x"#, &[r#"{"a":1,"b":null}"#]),
        (r#"{"a":1}{"a":2}"#, &[r#"{"a":1,"b":null}"#]),
        ("\u{feff}{\"a\":1}", &[r#"{"a":1,"b":null}"#]),
        ("{}", &[r#"{"a":null,"b":null}"#]),
        (
            " { \"b\" : \"x\" ,\r\n\t\"a\" : 1 } ",
            &[r#"{"a":1,"b":"x"}"#],
        ),
        (r#"{"a":1,"a":2}"#, &[r#"{"a":2,"b":null}"#]),
        (
            r#"{"a":1,"a":2,"b":"x","a":null}"#,
            &[r#"{"a":null,"b":"x"}"#],
        ),
        (r#"{"\u0061":5}"#, &[r#"{"a":5,"b":null}"#]),
        (
            "{\"b\":\"a\tb\",\"c\":\"\u{1}\"}",
            &[r#"{"a":null,"b":"a\tb"}"#],
        ),
        (
            r#"{"b":"\ud83d\ude00\u00e9\u0000\u001f\/\"\\\b\f\n\r\t"}"#,
            &[r#"{"a":null,"b":"\uD83D\uDE00é\u0000\u001F/\"\\\b\f\n\r\t"}"#],
        ),
        (r#"{"b":"\ud83d"}"#, &[r#"{"a":null,"b":"?"}"#]),
        (
            r#"{"b":"\ude00x\ud83d\u0041"}"#,
            &[r#"{"a":null,"b":"?x?A"}"#],
        ),
        (r#"{"b":1.50}"#, &[r#"{"a":null,"b":"1.50"}"#]),
        (r#"{"b":-0}"#, &[r#"{"a":null,"b":"-0"}"#]),
        (r#"{"b":true}"#, &[r#"{"a":null,"b":"true"}"#]),
        (
            r#"{"b": { "k" : [1, 2.50] , "k":{} } }"#,
            &[r#"{"a":null,"b":"{\"k\":{}}"}"#],
        ),
        (
            r#"{"c":[{"d":[[],{},"]}",-1.5e+3,false,null]}],"a":1}"#,
            &[r#"{"a":1,"b":null}"#],
        ),
    ] {
        accepts(AB, &[], doc, rows);
    }
    for doc in [
        "null",
        "7",
        "\"x\"",
        "true",
        "[1]",
        r#"[{"a":1},7]"#,
        r#"[{"a":1} {"a":2}]"#,
        r#"[{"a":1},"#,
        r#"{"a":1"#,
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        "{a:1}",
        "{'a':1}",
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":NaN}"#,
        r#"{"a":tru}"#,
        r#"{"c":tru}"#,
        r#"{"c":truex}"#,
        r#"{"c":01}"#,
        r#"{"c":-}"#,
        r#"{"c":1.}"#,
        r#"{"c":1e}"#,
        r#"{"c":[1,]}"#,
        r#"{"c":[1 2]}"#,
        r#"{"c":{"x" 1}}"#,
        r#"{"c":{"x":1,}}"#,
        r#"{"c":{x:1}}"#,
        r#"{"c":[}}"#,
        r#"{"c":[}"#,
        r#"{"c":"\x"}"#,
        r#"{"c":"\u12"}"#,
        r#"{"b":"\u12"}"#,
        r#"{"b":"x}"#,
        r#"{"b":"x\"#,
        r#"{"a":1,"b":"x","c":[}}"#,
        r#"/*c*/{"a":1}"#,
        r#"{"a":}"#,
        r#"{,}"#,
        "{",
        "[",
        r#"{"a""#,
        r#"{"a":"#,
    ] {
        refuses(AB, &[], doc, None);
    }
}

#[test]
fn ignored_errors_are_told() {
    for (doc, rows, skipped) in [
        ("null", &[][..], &[None][..]),
        ("[1]", &[], &[None]),
        (
            r#"[{"a":1},7,{"a":"x"}]"#,
            &[r#"{"a":1,"b":null}"#, r#"{"a":null,"b":null}"#],
            &[None, Some("a")],
        ),
        (
            r#"[{"a":1},{"a":2}"#,
            &[r#"{"a":1,"b":null}"#, r#"{"a":2,"b":null}"#],
            &[None],
        ),
        (r#"{"a":1"#, &[], &[None]),
        (
            r#"{"a":"x","b":"y"}"#,
            &[r#"{"a":null,"b":"y"}"#],
            &[Some("a")],
        ),
        (
            r#"{"a":{"b":"q"},"b":"z"}"#,
            &[r#"{"a":null,"b":"z"}"#],
            &[Some("a")],
        ),
        (r#"{"a":1,"c":tru,"b":"x"}"#, &[], &[None]),
    ] {
        let format = json(AB, IGNORE);
        let decoded = decode(&*format, 2, &[b"{}", doc.as_bytes()]).unwrap();
        assert_eq!(encoded(&*format, &decoded.rows)[1..], *rows, "{doc}");
        let found: Vec<_> = decoded.skipped.iter().map(|b| b.field.as_deref()).collect();
        assert_eq!(found, skipped, "{doc}");
        assert!(decoded.skipped.iter().all(|b| b.payload == 1), "{doc}");
        let origins = (rows.len() != 1).then(|| {
            std::iter::once(0)
                .chain(rows.iter().map(|_| 1))
                .collect::<Vec<_>>()
        });
        assert_eq!(decoded.origins, origins, "{doc}");
    }
}

#[test]
fn missing_and_not_null_fields() {
    refuses(AB, FAIL, r#"{"a":1}"#, Some("b"));
    accepts(AB, FAIL, r#"{"a":1,"b":null}"#, &[r#"{"a":1,"b":null}"#]);
    refuses(
        &[("a", "ROW<x INT,y STRING>")],
        FAIL,
        r#"{"a":{"x":1}}"#,
        Some("a.y"),
    );
    let strict = &[("a", "INT!"), ("b", "ROW<x INT!>"), ("c", "ARRAY<INT!>")];
    refuses(strict, &[], r#"{"b":null}"#, Some("a"));
    refuses(strict, &[], r#"{"a":null}"#, Some("a"));
    refuses(strict, &[], r#"{"a":1,"b":{}}"#, Some("b.x"));
    refuses(strict, &[], r#"{"a":1,"c":[1,null]}"#, Some("c[1]"));
    accepts(strict, &[], r#"{"a":1}"#, &[r#"{"a":1,"b":null,"c":null}"#]);
    let nulls = r#"{"a":1,"b":null,"c":null}"#;
    accepts(
        strict,
        IGNORE,
        r#"[{"a":1,"b":{"x":"?"},"c":[1,"?"]},{"a":"?"},{"b":{"x":1}}]"#,
        &[nulls],
    );
}

#[test]
fn a_failed_call_leaves_nothing_behind() {
    let fields = &[
        ("a", "INT"),
        ("m", "MAP<STRING,ARRAY<ROW<x INT,y STRING>>>"),
    ];
    let format = json(fields, &[]);
    let mut decoder = format.decoder(&[0, 1]);
    let good = br#"{"a":1,"m":{"k":[{"x":1,"y":"q"},null]}}"#;
    let bad = br#"{"a":2,"m":{"k":[{"x":1},{"x":2}],"l":[{"y":"yy"},{"x":"?"}]}}"#;
    assert_eq!(
        decoder.decode(&[good, bad]).unwrap_err().field.as_deref(),
        Some("m['l'][1].x")
    );
    let decoded = decoder.decode(&[good]).unwrap();
    assert_eq!(
        encoded(&*format, &decoded.rows),
        [r#"{"a":1,"m":{"k":[{"x":1,"y":"q"},null]}}"#]
    );
    let format = json(fields, IGNORE);
    let decoded = decode(&*format, 2, &[good, bad, good]).unwrap();
    let rows = encoded(&*format, &decoded.rows);
    assert_eq!(
        rows[1],
        r#"{"a":2,"m":{"k":[{"x":1,"y":null},{"x":2,"y":null}],"l":[{"x":null,"y":"yy"},{"x":null,"y":null}]}}"#
    );
    assert_eq!(rows[2], rows[0]);
    assert_eq!(decoded.skipped[0].field.as_deref(), Some("m['l'][1].x"));
}

#[test]
fn deep_nesting_and_long_values() {
    for (depth, fine) in [(999, true), (1000, false), (100_000, false)] {
        let deep = format!("{{\"c\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(outcome(AB, &[], deep.as_bytes()).is_ok(), fine, "{depth}");
        let text = deep.replace("\"c\"", "\"b\"");
        assert_eq!(outcome(AB, &[], text.as_bytes()).is_ok(), fine, "{depth}");
        let objects = format!(
            "{{\"b\":{}1{}}}",
            "{\"k\":".repeat(depth),
            "}".repeat(depth)
        );
        assert_eq!(
            outcome(AB, &[], objects.as_bytes()).is_ok(),
            fine,
            "{depth}"
        );
    }
    assert!(outcome(AB, &[], "[".repeat(100_000).as_bytes()).is_err());
    let long = format!("{{\"b\":\"{}\",\"a\":1}}", "x\\n".repeat(500_000));
    assert!(outcome(AB, &[], long.as_bytes()).is_ok());
}

#[test]
fn bytes_that_are_not_utf8() {
    for doc in [
        &b"{\"b\":\"a\xffb\"}"[..],
        b"{\"c\":\"\xff\"}",
        b"{\"b\":\"\xc0\x80\"}",
        b"{\"b\":\"\xed\xa0\x80\"}",
    ] {
        let bad = outcome(AB, &[], doc).unwrap_err();
        assert!(bad.reason.contains("UTF-8"), "{}", bad.reason);
        assert_eq!(outcome(AB, IGNORE, doc).unwrap().len(), 0);
    }
}

#[test]
fn projection_and_empty_projection() {
    let format = json(&[("a", "INT"), ("b", "STRING"), ("c", "INT")], &[]);
    let mut decoder = format.decoder(&[0, 2]);
    let names: Vec<_> = decoder
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["a", "c"]);
    let decoded = decoder
        .decode(&[br#"{"c":3,"b":{"bad":"but unread"},"a":1}"#])
        .unwrap();
    assert_eq!(decoded.rows.num_columns(), 2);
    let decoded = format
        .decoder(&[])
        .decode(&[b"{}", b"", b"[{},{}]"])
        .unwrap();
    assert_eq!(
        (decoded.rows.num_rows(), decoded.origins),
        (3, Some(vec![0, 2, 2]))
    );
    assert!(format.decoder(&[]).decode(&[b"{"]).is_err());
    assert_eq!(format.decoder(&[0]).decode(&[]).unwrap().rows.num_rows(), 0);
}

#[test]
fn messages_help() {
    let bad = outcome(
        &[("t", "TIMESTAMP(3)")],
        &[],
        br#"{"t":"2025-01-15T12:34:56Z"}"#,
    )
    .unwrap_err();
    assert!(
        bad.reason.contains("ISO-8601") && bad.reason.contains("2025-01-15T12:34:56Z"),
        "{}",
        bad.reason
    );
    let bad = outcome(AB, &[], br#"{"a":1 "b":2}"#).unwrap_err();
    assert_eq!(
        bad.reason,
        "not valid JSON at byte 7: expected ',' or '}', found '\"b\":2}'"
    );
    let bad = outcome(AB, &[], br#"{"a":"x"}"#).unwrap_err();
    assert_eq!(
        bad.reason,
        "expected INT (-2147483648 to 2147483647), found \"x\""
    );
}

#[test]
fn options_are_checked() {
    let make = |fields: &[(&str, &str)], options: &[(&str, &str)]| {
        let options = options
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        let options = Options::new(options);
        let made = format("value.json.", &options, schema(fields))
            .map(|_| ())
            .map_err(|e| (e.key.unwrap(), e.message));
        made.map(|()| options.finish().len())
    };
    let all = &[
        ("value.json.ignore-parse-errors", "true"),
        ("value.json.fail-on-missing-field", "false"),
        ("value.json.timestamp-format.standard", "ISO-8601"),
        ("value.json.map-null-key.mode", "LITERAL"),
        ("value.json.map-null-key.literal", "nil"),
        ("value.json.encode.decimal-as-plain-number", "true"),
        ("value.json.encode.ignore-null-fields", "true"),
        ("value.json.decode.json-parser.enabled", "false"),
    ];
    assert_eq!(make(AB, all), Ok(0));
    let both = &[
        ("value.json.ignore-parse-errors", "true"),
        ("value.json.fail-on-missing-field", "true"),
    ];
    assert!(
        make(AB, both)
            .unwrap_err()
            .1
            .contains("cannot both be true")
    );
    assert!(make(AB, &[("value.json.timestamp-format.standard", "RFC")]).is_err());
    assert_eq!(
        make(&[("m", "MAP<INT,INT>")], &[]).unwrap_err().0,
        "value.format"
    );
}

#[test]
fn null_fields_may_be_left_out() {
    let fields = &[
        ("a", "ROW<x INT,y STRING>"),
        ("b", "ARRAY<INT>"),
        ("c", "MAP<STRING,INT>"),
    ];
    let skip = &[("encode.ignore-null-fields", "true")];
    accepts(
        fields,
        skip,
        r#"{"a":{"x":1},"b":[null,1],"c":{"k":null}}"#,
        &[r#"{"a":{"x":1},"b":[null,1],"c":{"k":null}}"#],
    );
    accepts(fields, skip, r#"{"a":{}}"#, &[r#"{"a":{}}"#]);
    accepts(fields, skip, "{}", &["{}"]);
}

#[test]
fn rows_for_print() {
    let format = json(AB, &[]);
    let decoded = decode(&*format, 2, &[r#"{"a":1,"b":"é"}"#.as_bytes()]).unwrap();
    let mut out = Encoded::default();
    super::super::json_row_encoder(decoded.rows.schema())
        .encode(&decoded.rows, &mut out)
        .unwrap();
    assert_eq!(
        out.payloads().collect::<Vec<_>>(),
        [r#"{"a":1,"b":"é"}"#.as_bytes()]
    );
}
