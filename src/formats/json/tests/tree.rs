//! The json format against a slow decoder built on a tree, on random documents; and rows written and read back.

use arrow::array::RecordBatch;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn one_in(n: u8, noise: &mut impl Iterator<Item = u8>) -> bool {
    noise.next().unwrap_or(1).is_multiple_of(n)
}

/// A JSON value as text, with blanks, escapes, unknown and repeated keys put in as `noise` says.
fn noisy(value: &Value, noise: &mut impl Iterator<Item = u8>, out: &mut String) {
    let mut blank = |out: &mut String| match noise.next().unwrap_or(0) % 8 {
        0 => out.push(' '),
        1 => out.push_str("\n\t"),
        _ => {}
    };
    blank(out);
    match value {
        Value::Object(map) => {
            out.push('{');
            let mut first = true;
            for (key, value) in map {
                let mut members = vec![(key.as_str(), value)];
                if one_in(4, noise) {
                    // An earlier member of the same name does not count.
                    members.insert(0, (key.as_str(), &Value::Null));
                }
                if one_in(4, noise) && !map.contains_key("unknown") {
                    members.insert(0, ("unknown", &Value::Null));
                }
                for (key, value) in members {
                    if !std::mem::take(&mut first) {
                        out.push(',');
                    }
                    noisy_string(key, noise, out);
                    out.push(':');
                    noisy(value, noise, out);
                }
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                noisy(item, noise, out);
            }
            out.push(']');
        }
        Value::String(text) => noisy_string(text, noise, out),
        other => out.push_str(&other.to_string()),
    }
    if one_in(8, noise) {
        out.push(' ');
    }
}

fn noisy_string(text: &str, noise: &mut impl Iterator<Item = u8>, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' || one_in(4, noise) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out.push('"');
}

const TREE: &[(&str, &str)] = &[
    ("a", "BIGINT"),
    ("b", "STRING"),
    ("c", "DOUBLE"),
    ("d", "BOOLEAN"),
    ("r", "ROW<x INT,y STRING>"),
    ("l", "ARRAY<STRING>"),
    ("m", "MAP<STRING,DOUBLE>"),
];

/// What the row of `doc` is, worked out from a tree.
fn reference(doc: &str) -> Value {
    let tree: Value = serde_json::from_str(doc).unwrap();
    let text = |v: &Value| match v {
        Value::Null | Value::String(_) => v.clone(),
        other => Value::String(other.to_string()),
    };
    let get = |v: &Value, key: &str| v.get(key).cloned().unwrap_or(Value::Null);
    let row = match get(&tree, "r") {
        Value::Null => Value::Null,
        r => serde_json::json!({"x": get(&r, "x"), "y": text(&get(&r, "y"))}),
    };
    let list = match get(&tree, "l") {
        Value::Array(items) => Value::Array(items.iter().map(text).collect()),
        _ => Value::Null,
    };
    serde_json::json!({"a": get(&tree, "a"), "b": text(&get(&tree, "b")), "c": get(&tree, "c"), "d": get(&tree, "d"),
        "r": row, "l": list, "m": get(&tree, "m")})
}

fn or_null<S: Strategy<Value = Value> + 'static>(values: S) -> BoxedStrategy<Value> {
    prop_oneof![4 => values, 1 => Just(Value::Null)].boxed()
}

fn documents_of_a_tree() -> impl Strategy<Value = Value> {
    let text = || any::<String>().prop_map(Value::String);
    let int = || any::<i64>().prop_map(Value::from);
    let double = || (-1e9f64..1e9).prop_map(Value::from);
    let scalar = || prop_oneof![text(), int(), any::<bool>().prop_map(Value::from)];
    let junk = scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(("[a-zA-Z\"]{0,6}", inner), 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    });
    let row = (
        or_null(any::<i32>().prop_map(Value::from)),
        or_null(text()),
        junk.clone(),
    )
        .prop_map(|(x, y, z)| serde_json::json!({"z": z, "y": y, "x": x}));
    let map = prop::collection::vec((any::<String>(), or_null(double())), 0..5)
        .prop_map(|m| Value::Object(m.into_iter().collect()));
    let list = prop::collection::vec(or_null(scalar()), 0..5).prop_map(Value::Array);
    let members = (
        or_null(int()),
        or_null(scalar()),
        or_null(double()),
        or_null(any::<bool>().prop_map(Value::from)),
        or_null(row),
        or_null(list),
        or_null(map),
        junk,
    );
    (members, any::<prop::sample::Index>(), any::<u8>()).prop_map(
        |((a, b, c, d, r, l, m, junk), turn, left_out)| {
            let mut all = vec![
                ("a", a),
                ("b", b),
                ("c", c),
                ("d", d),
                ("r", r),
                ("l", l),
                ("m", m),
                ("junk", junk),
            ];
            let turn = turn.index(all.len());
            all.rotate_left(turn);
            let kept = all
                .into_iter()
                .enumerate()
                .filter(|(i, _)| left_out >> i & 1 == 0 || left_out % 3 == 0);
            Value::Object(kept.map(|(_, (k, v))| (k.to_string(), v)).collect())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decodes_like_a_tree(docs in prop::collection::vec((documents_of_a_tree(), prop::collection::vec(any::<u8>(), 300)), 1..6)) {
        let texts: Vec<String> = docs.iter().map(|(doc, noise)| {
            let mut text = String::new();
            noisy(doc, &mut noise.iter().copied(), &mut text);
            text
        }).collect();
        let format = json(TREE, &[]);
        let payloads: Vec<&[u8]> = texts.iter().map(|t| t.as_bytes()).collect();
        let decoded = decode(&*format, TREE.len(), &payloads).map_err(|e| TestCaseError::fail(format!("{e:?} {texts:?}")))?;
        for (row, text) in encoded(&*format, &decoded.rows).iter().zip(&texts) {
            let found: Value = serde_json::from_str(row).unwrap();
            prop_assert_eq!(found, reference(text), "{}", text);
        }
        // All of them as one array are the same rows.
        let array = format!("[{}]", texts.join(","));
        let together = decode(&*format, TREE.len(), &[array.as_bytes()]).unwrap();
        prop_assert_eq!(&together.rows, &decoded.rows);
        // Broken anywhere, a document is an error or some row, never a panic.
        let mut broken = array.into_bytes();
        for (i, (_, noise)) in docs.iter().enumerate() {
            let at = usize::from(noise[i]) * 256 + usize::from(noise[i + 1]);
            let len = broken.len();
            broken[at % len] = noise[i + 2];
        }
        let _ = decode(&*format, TREE.len(), &[&broken]);
        let _ = decode(&*json(TREE, IGNORE), TREE.len(), &[&broken, b"{}"]).unwrap();
        broken.truncate(broken.len() / 2);
        let _ = decode(&*json(TREE, IGNORE), TREE.len(), &[&broken]).unwrap();
    }

    #[test]
    fn what_is_valid_json_is_decided_as_a_tree_parser_does(text in r#"\{"c":[\[\]{}",:0-9.eE+\-truefalsn "\\u]{0,24}\}"#) {
        // Except: what stands after the document, control characters, and numbers beyond a double's range.
        let first = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next();
        let valid = match first {
            Some(Err(e)) => e.to_string().contains("out of range"),
            first => first.is_some(),
        };
        let found = outcome(AB, &[], text.as_bytes());
        prop_assert_eq!(found.is_ok(), valid, "{}: {:?}", text, found);
    }

    #[test]
    fn encoded_rows_decode_to_the_same(seed in prop::collection::vec((any::<i64>(), any::<f64>(), any::<String>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..9)), 1..5)) {
        let fields = &[
            ("t", "TINYINT"), ("s", "SMALLINT"), ("i", "INT"), ("b", "BIGINT!"), ("f", "FLOAT"), ("d", "DOUBLE"), ("n", "DECIMAL(38,18)"),
            ("st", "STRING"), ("by", "BYTES"), ("da", "DATE"), ("t0", "TIME(0)"), ("t3", "TIME(3)"), ("s0", "TIMESTAMP(0)"),
            ("s3", "TIMESTAMP(3)"), ("s6", "TIMESTAMP(6)"), ("s9", "TIMESTAMP(9)"), ("z3", "TIMESTAMP_LTZ(3)"), ("bo", "BOOLEAN"),
            ("r", "ROW<x INT,y STRING>"), ("l", "ARRAY<ARRAY<STRING>>"), ("m", "MAP<STRING,ROW<x INT,y STRING>>"), ("u", "MULTISET<STRING>"),
        ];
        let batch = rows_of(&schema(fields), &seed);
        for options in [&[][..], ISO, &[("encode.decimal-as-plain-number", "true")], &[("encode.ignore-null-fields", "true")]] {
            let format = json(fields, options);
            let texts = encoded(&*format, &batch);
            let payloads: Vec<&[u8]> = texts.iter().map(|t| t.as_bytes()).collect();
            let back = decode(&*format, fields.len(), &payloads).map_err(|e| TestCaseError::fail(format!("{e:?} {texts:?}")))?;
            prop_assert_eq!(encoded(&*format, &back.rows), texts);
            prop_assert_eq!(&back.rows.schema(), &batch.schema());
            for (column, expected) in back.rows.columns().iter().zip(batch.columns()) {
                // NaN has many bit patterns; equal text was checked above.
                if !matches!(column.data_type(), DataType::Float32 | DataType::Float64) {
                    prop_assert_eq!(column, expected);
                }
            }
        }
    }
}

/// Rows of any schema, made from numbers, texts and bytes.
pub(in crate::formats) fn rows_of(
    schema: &SchemaRef,
    seed: &[(i64, f64, String, bool, Vec<u8>)],
) -> RecordBatch {
    use super::super::column::{Column, Data, close, columns, finish};
    fn push(
        column: &mut Column,
        (int, double, text, flag, bytes): &(i64, f64, String, bool, Vec<u8>),
        salt: i64,
    ) {
        let int = int.wrapping_mul(salt | 1);
        if column.nullable && int % 5 == 0 {
            return column.append_null();
        }
        let day = 86_400;
        match &mut column.data {
            Data::Bool(v) => v.append(*flag),
            Data::Int8(v) => v.push(int as i8),
            Data::Int16(v) => v.push(int as i16),
            Data::Int32(v) => v.push(int as i32),
            Data::Int64(v) => v.push(int),
            Data::Float32(v) => v.push(*double as f32),
            Data::Float64(v) => v.push(*double),
            Data::Decimal {
                values, precision, ..
            } => values.push(i128::from(int) * i128::from(int) % 10i128.pow(u32::from(*precision))),
            Data::Bytes {
                offsets,
                bytes: all,
                binary,
            } => {
                all.extend_from_slice(if *binary { bytes } else { text.as_bytes() });
                close(offsets, all.len());
            }
            Data::Date(v) => v.push((int % 3_000_000) as i32),
            Data::Time { values, unit } => {
                values.push(int.rem_euclid(if *unit == TimeUnit::Second {
                    day
                } else {
                    day * 1000
                }) as i32)
            }
            Data::Timestamp { values, unit, .. } => values.push(if *unit == TimeUnit::Second {
                int % 9_000_000_000_000
            } else {
                int
            }),
            Data::Row { children, .. } => children.iter_mut().for_each(|c| {
                push(
                    c,
                    &(int, *double, text.clone(), *flag, bytes.clone()),
                    salt + 2,
                )
            }),
            Data::List { offsets, child, .. } => {
                for i in 0..int.rem_euclid(3) {
                    push(
                        child,
                        &(int / 7, *double, format!("{text}{i}"), *flag, bytes.clone()),
                        salt + i,
                    );
                }
                close(offsets, child.len());
            }
            Data::Map {
                offsets,
                keys,
                values,
                ..
            } => {
                for i in 0..int.rem_euclid(3) {
                    push(
                        keys,
                        &(1, *double, format!("{text}{i}"), *flag, bytes.clone()),
                        0,
                    );
                    push(
                        values,
                        &(
                            int / 11,
                            *double,
                            format!("{i}{text}"),
                            *flag,
                            bytes.clone(),
                        ),
                        salt + i,
                    );
                }
                close(offsets, keys.len());
            }
        }
        column.mark_valid();
    }
    let mut built = columns(schema).unwrap();
    for row in seed {
        for (i, column) in built.iter_mut().enumerate() {
            push(column, row, i as i64 * 3);
        }
    }
    finish(schema, &mut built, seed.len()).unwrap()
}
