//! The csv format against what Flink gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::super::json::tests::{encoded, rows_of, schema};
use super::super::{BadRow, Encoded, Format};
use super::*;

pub(in crate::formats) fn csv(
    fields: &[(&str, &str)],
    options: &[(&str, &str)],
) -> Box<dyn Format> {
    let options = options
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    format("csv.", &Options::new(options), schema(fields)).unwrap()
}

/// The row of a record as JSON (`None`: no row), and as CSV again.
fn outcome(
    fields: &[(&str, &str)],
    options: &[(&str, &str)],
    record: &str,
) -> Result<Option<(String, String)>, BadRow> {
    let format = csv(fields, options);
    let projection: Vec<_> = (0..fields.len()).collect();
    let decoded = format.decoder(&projection).decode(&[record.as_bytes()])?;
    let mut json = Encoded::default();
    super::super::json_row_encoder(decoded.rows.schema())
        .encode(&decoded.rows, &mut json)
        .unwrap();
    assert_eq!(
        decoded.origins,
        (decoded.rows.num_rows() == 0).then(Vec::new)
    );
    let csv = encoded(&*format, &decoded.rows).pop();
    Ok(csv.map(|csv| (String::from_utf8(json.bytes).unwrap(), csv)))
}

fn check(
    fields: &[(&str, &str)],
    options: &[(&str, &str)],
    cases: &[(&str, Option<(&str, &str)>)],
) {
    for (record, expected) in cases {
        let found = outcome(fields, options, record).ok().flatten();
        assert_eq!(
            found.as_ref().map(|(j, c)| (j.as_str(), c.as_str())),
            *expected,
            "{record:?} {options:?}"
        );
    }
}

const AB: &[(&str, &str)] = &[("a", "INT"), ("b", "STRING")];

#[test]
fn records_and_quotes() {
    check(
        AB,
        &[],
        &[
            ("1,x", Some((r#"{"a":1,"b":"x"}"#, "1,x"))),
            ("1", None),
            ("1,x,y", None),
            ("1,x,", Some((r#"{"a":1,"b":"x"}"#, "1,x"))),
            ("1,x, ", Some((r#"{"a":1,"b":"x"}"#, "1,x"))),
            ("1,x,,", None),
            ("", None),
            ("\n", None),
            (",", None),
            ("1,", Some((r#"{"a":1,"b":""}"#, "1,"))),
            ("  1 , x ", Some((r#"{"a":1,"b":" x "}"#, "1,\" x \""))),
            (
                "\"1\" ,\"x\ny\"",
                Some((r#"{"a":1,"b":"x\ny"}"#, "1,\"x\ny\"")),
            ),
            (" \"1\",x", None),
            (
                "1,\"a\"\"b\"",
                Some((r#"{"a":1,"b":"a\"b"}"#, "1,\"a\"\"b\"")),
            ),
            ("1,\"\"\"\"", Some((r#"{"a":1,"b":"\""}"#, "1,\"\"\"\""))),
            ("1,a\"b", Some((r#"{"a":1,"b":"a\"b"}"#, "1,\"a\"\"b\""))),
            ("1,\"a\"b", None),
            ("1,\"a\" b", None),
            ("1,\"a\" ", Some((r#"{"a":1,"b":"a"}"#, "1,a"))),
            (
                "1, \"a\"",
                Some((r#"{"a":1,"b":" \"a\""}"#, "1,\" \"\"a\"\"\"")),
            ),
            ("1,\"a", None),
            ("x,y", None),
            (",y", None),
            ("1.5,x", None),
            ("+1,x", Some((r#"{"a":1,"b":"x"}"#, "1,x"))),
            ("2147483648,x", None),
            ("1,x\n2,y", Some((r#"{"a":1,"b":"x"}"#, "1,x"))),
            ("1,x\r\n", Some((r#"{"a":1,"b":"x"}"#, "1,x"))),
            (
                "1,é€😀",
                Some((r#"{"a":1,"b":"é€\uD83D\uDE00"}"#, "1,é€😀")),
            ),
            ("1,a;b", Some((r#"{"a":1,"b":"a;b"}"#, "1,a;b"))),
        ],
    );
    check(
        AB,
        &[("csv.quote-character", "'")],
        &[
            ("1,'a,b'", Some((r#"{"a":1,"b":"a,b"}"#, "1,'a,b'"))),
            ("1,'a''b'", Some((r#"{"a":1,"b":"a'b"}"#, "1,'a''b'"))),
        ],
    );
    check(
        AB,
        &[("csv.disable-quote-character", "true")],
        &[
            ("1,\"x\"", Some((r#"{"a":1,"b":"\"x\""}"#, "1,\"x\""))),
            ("1,\"x,y\"", None),
        ],
    );
    check(
        AB,
        &[("csv.field-delimiter", "\\t")],
        &[("1\ta,b", Some((r#"{"a":1,"b":"a,b"}"#, "1\ta,b")))],
    );
    check(
        AB,
        &[("csv.escape-character", "\\")],
        &[
            ("1,a\\,b", Some((r#"{"a":1,"b":"a,b"}"#, "1,\"a,b\""))),
            (
                "1,\"a\\\"b\"",
                Some((r#"{"a":1,"b":"a\"b"}"#, "1,\"a\"\"b\"")),
            ),
            (
                "1,a\\nb\\0\\u",
                Some((r#"{"a":1,"b":"a\nb\u0000u"}"#, "1,\"a\nb\0u\"")),
            ),
            ("1,a\\\\b", Some((r#"{"a":1,"b":"a\\b"}"#, "1,\"a\\\\b\""))),
            ("1,a\\", None),
        ],
    );
}

#[test]
fn lenience_options() {
    check(
        AB,
        &[("csv.ignore-parse-errors", "true")],
        &[
            ("1", Some((r#"{"a":1,"b":null}"#, "1,"))),
            ("1,x,y", None),
            ("x,y", Some((r#"{"a":null,"b":"y"}"#, ",y"))),
            ("1,\"a", None),
        ],
    );
    check(
        AB,
        &[("csv.ignore-trailing-unmappable", "true")],
        &[
            ("1", None),
            ("1,x,y,z", Some((r#"{"a":1,"b":"x"}"#, "1,x"))),
        ],
    );
    check(
        AB,
        &[("csv.allow-trailing-comma", "false")],
        &[("1,x,", None), ("1,x", Some((r#"{"a":1,"b":"x"}"#, "1,x")))],
    );
    check(
        AB,
        &[
            ("csv.fail-on-missing-columns", "true"),
            ("csv.ignore-parse-errors", "true"),
        ],
        &[("1", None)],
    );
    check(
        AB,
        &[("csv.empty-string-as-null", "true")],
        &[
            ("1,", Some((r#"{"a":1,"b":null}"#, "1,"))),
            (",\"\"", Some((r#"{"a":null,"b":null}"#, ","))),
        ],
    );
    check(
        AB,
        &[("csv.trim-spaces", "true")],
        &[
            (" 1 ,  x ", Some((r#"{"a":1,"b":"x"}"#, "1,x"))),
            ("1,  \" x \"  ", Some((r#"{"a":1,"b":" x "}"#, "1,\" x \""))),
            (" \"1\" , \"x\" y", None),
        ],
    );
    check(
        AB,
        &[("csv.null-literal", "n/a")],
        &[
            ("n/a,n/a", Some((r#"{"a":null,"b":null}"#, "n/a,n/a"))),
            ("1,\"n/a\"", Some((r#"{"a":1,"b":null}"#, "1,n/a"))),
            ("1, n/a", Some((r#"{"a":1,"b":" n/a"}"#, "1,\" n/a\""))),
        ],
    );
    check(
        AB,
        &[("csv.allow-comments", "true")],
        &[
            ("#1,x", None),
            (" #1,x", None),
            ("1,#x", Some((r##"{"a":1,"b":"#x"}"##, "1,\"#x\""))),
        ],
    );
    assert!(
        outcome(AB, &[("csv.allow-comments", "true")], "#\"")
            .unwrap()
            .is_none()
    );
    assert!(outcome(AB, &[], "#1,x").is_err());
}

#[test]
fn types() {
    let one = |kind: &str, cases: &[(&str, Option<(&str, &str)>)]| {
        for (value, expected) in cases {
            let expected = expected
                .map(|(json, csv)| (format!("{{\"a\":{json},\"b\":1}}"), format!("{csv},1")));
            let found = outcome(&[("a", kind), ("b", "INT")], &[], &format!("{value},1"))
                .ok()
                .flatten();
            assert_eq!(found, expected, "{kind} {value}");
        }
    };
    one(
        "BOOLEAN",
        &[
            ("true", Some(("true", "true"))),
            (" TRUE ", Some(("true", "true"))),
            ("", Some(("false", "false"))),
            ("yes", Some(("false", "false"))),
        ],
    );
    one(
        "TINYINT",
        &[
            (" 1 ", Some(("1", "1"))),
            ("128", None),
            ("1.5", None),
            ("", None),
        ],
    );
    one(
        "DOUBLE",
        &[
            ("1", Some(("1.0", "1.0"))),
            ("NaN", Some(("\"NaN\"", "NaN"))),
            ("1e400", Some(("\"Infinity\"", "Infinity"))),
            ("", None),
            ("null", None),
        ],
    );
    one(
        "FLOAT",
        &[
            (" 1e10 ", Some(("1.0E10", "1.0E10"))),
            ("1f", Some(("1.0", "1.0"))),
        ],
    );
    one(
        "DECIMAL(5,2)",
        &[
            ("1e2", Some(("1E+2", "1E+2"))),
            ("12.345", Some(("12.35", "12.35"))),
            ("99999", Some(("null", ""))),
            (" 1", None),
            ("", None),
        ],
    );
    one(
        "DATE",
        &[
            ("2025-01-15", Some(("\"2025-01-15\"", "2025-01-15"))),
            ("2025-1-5", Some(("\"2025-01-05\"", "2025-01-05"))),
            ("2025-02-30", Some(("\"2025-03-02\"", "2025-03-02"))),
            (" 2025-01-15", None),
            ("10000-01-01", None),
            ("2025-01-32", None),
            ("2025--1-5", None),
            ("", None),
        ],
    );
    one(
        "TIME(3)",
        &[
            ("12:34", Some(("\"12:34:00\"", "12:34:00"))),
            ("12:34:56.7891", Some(("\"12:34:56.789\"", "12:34:56.789"))),
            ("1:2:3", None),
        ],
    );
    one(
        "TIME(0)",
        &[("12:34:56.789", Some(("\"12:34:56\"", "12:34:56")))],
    );
    one(
        "TIMESTAMP(3)",
        &[
            (
                " 2025-01-15 12:34:56.12 ",
                Some(("\"2025-01-15 12:34:56.12\"", "\"2025-01-15 12:34:56.12\"")),
            ),
            ("2025-01-15T12:34:56", None),
            ("2025-01-15 12:34:56Z", None),
            (
                "2025-02-30 00:00:00",
                Some(("\"2025-02-28 00:00:00\"", "\"2025-02-28 00:00:00\"")),
            ),
        ],
    );
    one(
        "TIMESTAMP_LTZ(3)",
        &[
            (
                "2025-01-15 12:34:56Z",
                Some(("\"2025-01-15 12:34:56Z\"", "\"2025-01-15 12:34:56Z\"")),
            ),
            ("2025-01-15 12:34:56", None),
        ],
    );
    one(
        "BYTES",
        &[
            ("aGk=", Some(("\"aGk=\"", "aGk="))),
            ("", Some(("\"\"", ""))),
            ("aGk", None),
        ],
    );
    one(
        "ARRAY<INT>",
        &[
            ("1;2", Some(("[1,2]", "1;2"))),
            ("", Some(("[]", ""))),
            (" 1 ; 2 ", Some(("[1,2]", "1;2"))),
            ("1;;2", None),
            ("1;x", None),
        ],
    );
    one(
        "ARRAY<STRING>",
        &[
            ("a;;c", Some((r#"["a","","c"]"#, "a;;c"))),
            ("a; b ", Some((r#"["a"," b "]"#, "\"a; b \""))),
            ("\"a;b\";c", None),
        ],
    );
    one(
        "ROW<x INT,y STRING>",
        &[
            ("1;q", Some((r#"{"x":1,"y":"q"}"#, "1;q"))),
            ("1;q;r", Some((r#"{"x":1,"y":"q"}"#, "1;q"))),
            ("1", None),
            ("", Some(("null", ""))),
            ("1;", Some((r#"{"x":1,"y":""}"#, "1;"))),
            (";", None),
        ],
    );
    check(
        &[("a", "ARRAY<STRING>"), ("b", "ROW<x INT,y STRING>")],
        &[("csv.null-literal", "n/a")],
        &[
            (
                "a;n/a,n/a;q",
                Some((r#"{"a":["a",null],"b":{"x":null,"y":"q"}}"#, "a;n/a,n/a;q")),
            ),
            ("n/a,", Some((r#"{"a":[null],"b":null}"#, "n/a,n/a"))),
        ],
    );
    check(
        &[("a", "ROW<x INT,y STRING>"), ("b", "INT")],
        &[("csv.ignore-parse-errors", "true")],
        &[
            ("1,1", Some((r#"{"a":{"x":1,"y":null},"b":1}"#, "1;,1"))),
            ("x;q,1", Some((r#"{"a":{"x":null,"y":"q"},"b":1}"#, ";q,1"))),
        ],
    );
    check(
        &[("a", "DECIMAL(38,18)"), ("b", "ARRAY<DECIMAL(38,18)>")],
        &[],
        &[
            (
                "100000,100000",
                Some((r#"{"a":1E+5,"b":[1E+5]}"#, "1E+5,\"1E+5\"")),
            ),
            (
                "0.0000001,1.50",
                Some((r#"{"a":1E-7,"b":[1.5]}"#, "1E-7,1.5")),
            ),
        ],
    );
    check(
        &[("a", "DECIMAL(38,18)")],
        &[("csv.write-bigdecimal-in-scientific-notation", "false")],
        &[(
            "100000",
            Some((r#"{"a":1E+5}"#, "100000.000000000000000000")),
        )],
    );
    let strict = &[("a", "INT!"), ("b", "INT")];
    assert_eq!(
        outcome(strict, &[("csv.null-literal", "-")], "-,1")
            .unwrap_err()
            .field
            .as_deref(),
        Some("a")
    );
    assert_eq!(
        outcome(strict, &[("csv.ignore-parse-errors", "true")], "x,1"),
        Ok(None)
    );
    assert_eq!(
        outcome(&[("a", "ARRAY<INT>")], &[], "1;x")
            .unwrap_err()
            .field
            .as_deref(),
        Some("a[1]")
    );
}

#[test]
fn values_are_quoted_when_jackson_quotes_them() {
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    let written = |options: &[(&str, &str)], value: &str| {
        let column: ArrayRef = std::sync::Arc::new(StringArray::from(vec![value]));
        let batch = RecordBatch::try_new(schema(&[("a", "STRING")]), vec![column]).unwrap();
        encoded(&*csv(&[("a", "STRING")], options), &batch).remove(0)
    };
    for (delimiter, quote, last) in [
        (",", "\"", 44u32),
        ("\t", "\"", 34),
        ("\t", "'", 39),
        (";", "\"", 59),
        ("|", "\"", 124),
    ] {
        let options = [
            ("csv.field-delimiter", delimiter),
            ("csv.quote-character", quote),
        ];
        for code in 0..0x100 {
            let value = format!("}}{}", char::from_u32(code).unwrap());
            let quoted = written(&options, &value).starts_with(quote);
            assert_eq!(quoted, code <= last || code == 92, "{code} {delimiter:?}");
        }
    }
    assert_eq!(written(&[], &"é".repeat(24)), "é".repeat(24));
    assert_eq!(
        written(&[], &"é".repeat(25)),
        format!("\"{}\"", "é".repeat(25))
    );
    assert_eq!(written(&[], &"😀".repeat(12)), "😀".repeat(12));
    assert_eq!(
        written(&[], &"😀".repeat(13)),
        format!("\"{}\"", "😀".repeat(13))
    );
    assert_eq!(
        written(&[("csv.disable-quote-character", "true")], "a,b"),
        "a,b"
    );
}

#[test]
fn options_are_checked() {
    let make = |fields: &[(&str, &str)], options: &[(&str, &str)]| {
        let options = Options::new(
            options
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
        );
        format("csv.", &options, schema(fields))
            .map(|_| options.finish().len())
            .map_err(|e| e.key.unwrap())
    };
    for (options, key) in [
        (&[("csv.field-delimiter", "ab")][..], "csv.field-delimiter"),
        (&[("csv.field-delimiter", "")], "csv.field-delimiter"),
        (
            &[("csv.array-element-delimiter", "ab")],
            "csv.array-element-delimiter",
        ),
        (
            &[
                ("csv.quote-character", "'"),
                ("csv.disable-quote-character", "true"),
            ],
            "csv.disable-quote-character",
        ),
        (&[("csv.allow-comments", "maybe")], "csv.allow-comments"),
    ] {
        assert_eq!(make(AB, options), Err(key.to_string()));
    }
    for delimiter in ["\\t", "\t", "\\u0001", "|", "€", "\\001", "\\\\"] {
        assert_eq!(
            make(AB, &[("csv.field-delimiter", delimiter)]),
            Ok(0),
            "{delimiter}"
        );
    }
    assert_eq!(make(AB, &[("csv.headings", "true")]), Ok(1));
    let both = [("csv.header", "true"), ("csv.ignore-first-line", "true")];
    assert_eq!(make(AB, &both), Err("csv.ignore-first-line".into()));
    for kind in [
        "MAP<STRING,INT>",
        "ARRAY<ARRAY<INT>>",
        "ARRAY<ROW<x INT,y STRING>>",
    ] {
        assert_eq!(make(&[("a", kind)], &[]), Err("format".to_string()));
    }
}

#[test]
fn only_projected_columns_are_read() {
    let format = csv(&[("a", "INT"), ("b", "INT"), ("c", "STRING")], &[]);
    let decoded = format.decoder(&[2]).decode(&[b"x,y,z", b"1,2,w"]).unwrap();
    assert_eq!(
        (decoded.rows.num_rows(), decoded.rows.num_columns()),
        (2, 1)
    );
    assert_eq!(
        format
            .decoder(&[])
            .decode(&[b"1,2,3"])
            .unwrap()
            .rows
            .num_rows(),
        1
    );
    let mut decoder = format.decoder(&[0, 2]);
    assert_eq!(
        decoder.decode(&[b"1,2,z", b"x,2,z"]).unwrap_err().payload,
        1
    );
    assert_eq!(decoder.decode(&[b"1,2,z"]).unwrap().rows.num_rows(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(prop::sample::select(b"1a,;\"'\\ \n\r#\xc3\xa9\xff".to_vec()), 0..30), trim: bool, escape: bool) {
        let mut options = vec![("csv.ignore-parse-errors", "true"), ("csv.allow-comments", "true")];
        if trim { options.push(("csv.trim-spaces", "true")); }
        if escape { options.push(("csv.escape-character", "\\")); }
        let format = csv(&[("a", "INT"), ("b", "ARRAY<STRING>")], &options);
        let mut frames = Vec::new();
        prop_assert_eq!(format.framer().frames(&bytes, true, &mut frames), bytes.len());
        let payloads: Vec<&[u8]> = frames.iter().map(|f| &bytes[f.clone()]).collect();
        prop_assert!(format.decoder(&[0, 1]).decode(&payloads).is_ok());
        prop_assert!(format.decoder(&[0, 1]).decode(&[&bytes]).is_ok());
    }

    #[test]
    fn encoded_rows_decode_to_the_same(seed in prop::collection::vec((any::<i64>(), any::<f64>(), any::<String>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..9)), 1..5), escape: bool) {
        let fields = &[
            ("t", "TINYINT"), ("s", "SMALLINT"), ("i", "INT"), ("b", "BIGINT!"), ("f", "FLOAT"), ("d", "DOUBLE"), ("n", "DECIMAL(38,18)"),
            ("st", "STRING"), ("by", "BYTES"), ("t0", "TIME(0)"), ("t3", "TIME(3)"), ("s0", "TIMESTAMP(0)"),
            ("s3", "TIMESTAMP(3)"), ("s6", "TIMESTAMP(6)"), ("s9", "TIMESTAMP(9)"), ("z3", "TIMESTAMP_LTZ(3)"), ("bo", "BOOLEAN"),
        ];
        let batch = rows_of(&schema(fields), &seed);
        let mut options = vec![("csv.null-literal", "<null>")];
        if escape { options.push(("csv.escape-character", "\\")); }
        let format = csv(fields, &options);
        let texts = encoded(&*format, &batch);
        // Through a file, so that line ends in values are tried too.
        let file = texts.join("\n") + "\n";
        let mut frames = Vec::new();
        format.framer().frames(file.as_bytes(), true, &mut frames);
        let payloads: Vec<&[u8]> = frames.iter().map(|f| &file.as_bytes()[f.clone()]).collect();
        let projection: Vec<_> = (0..fields.len()).collect();
        let back = format.decoder(&projection).decode(&payloads).map_err(|e| TestCaseError::fail(format!("{e:?} {texts:?}")))?;
        prop_assert_eq!(encoded(&*format, &back.rows), texts);
    }
}
