//! JSON_OBJECT, JSON_ARRAY, JSON, JSON_STRING, JSON_QUOTE and JSON_UNQUOTE.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};

use crate::casts::print::printer_of;
use crate::function::{Call, Function, Kind, Nulls, Takes};
use crate::java;
use crate::json_text::{Json, put, unescaped};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    // `JSON_OBJECT('NULL ON NULL' | 'ABSENT ON NULL', key, value, ...)`
    Function::new(
        "json_object",
        Takes::Own(|given| {
            if given.len() % 2 == 0 {
                return plan_err!("JSON_OBJECT: {} arguments, expected 'NULL ON NULL' or 'ABSENT ON NULL' and pairs", given.len());
            }
            let mut types = given.to_vec();
            for (i, given) in given.iter().enumerate() {
                if i % 2 == 0 && i > 0 {
                    convertible("JSON_OBJECT", given)?;
                } else {
                    types[i] = DataType::Utf8;
                }
            }
            Ok(types)
        }),
        |_, _| Ok(DataType::Utf8),
        Nulls::Never,
        json_object,
    ).fails()
    .makes_json(),
    // `JSON_ARRAY('ABSENT ON NULL' | 'NULL ON NULL', value, ...)`
    Function::new(
        "json_array",
        Takes::Own(|given| {
            let Some((_, values)) = given.split_first() else {
                return plan_err!("JSON_ARRAY: no arguments, expected 'NULL ON NULL' or 'ABSENT ON NULL' first");
            };
            values.iter().try_for_each(|given| convertible("JSON_ARRAY", given))?;
            Ok([&[DataType::Utf8], values].concat())
        }),
        |_, _| Ok(DataType::Utf8),
        Nulls::Never,
        json_array,
    )
    .makes_json(),
    Function::new(
        "json",
        Takes::Fixed(1, &[Kind::Text]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Strict,
        |call| {
            let texts = call.text(0)?;
            call.strings(|row, out| {
                let Some(text) = texts.get(row) else {
                    return Ok(false);
                };
                match Json::parse(text) {
                    Some(value) => value.write(out),
                    None => return exec_err!("JSON: the text is no JSON: '{text}'"),
                }
                Ok(true)
            })
        },
    ).fails()
    .makes_json(),
    Function::new(
        "json_string",
        Takes::Own(|given| match given {
            [value] => {
                convertible("JSON_STRING", value)?;
                Ok(given.to_vec())
            }
            _ => plan_err!("JSON_STRING: {} arguments, expected 1", given.len()),
        }),
        |_, _| Ok(DataType::Utf8),
        Nulls::Strict,
        |call| {
            let values = call.full_array(0)?;
            call.strings(|row, out| {
                if values.is_null(row) {
                    return Ok(false);
                }
                json_of(&values, row)?.write(out);
                Ok(true)
            })
        },
    ),
    Function::new(
        "json_quote",
        Takes::Fixed(1, &[Kind::Text]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Strict,
        |call| {
            let texts = call.text(0)?;
            call.strings(|row, out| match texts.get(row) {
                Some(text) => {
                    quote(text, out);
                    Ok(true)
                }
                None => Ok(false),
            })
        },
    ),
    Function::new(
        "json_unquote",
        Takes::Fixed(1, &[Kind::Text]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Strict,
        |call| {
            let texts = call.text(0)?;
            call.strings(|row, out| match texts.get(row) {
                Some(text) => {
                    out.push_str(&unquoted(text));
                    Ok(true)
                }
                None => Ok(false),
            })
        },
    ),
];

/// Whether values of the type become JSON; as in Flink, DATE and TIME do not.
fn convertible(function: &str, data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => {
            plan_err!("{function}: {data_type} cannot be converted into JSON: CAST it to STRING")
        }
        DataType::Map(..) if !has_text_keys(data_type) => {
            plan_err!(
                "{function}: {data_type} cannot be converted into JSON: the keys must be STRING"
            )
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            plan_err!("{function}: an interval cannot be converted into JSON")
        }
        _ => Ok(()),
    }
}

fn has_text_keys(map: &DataType) -> bool {
    let DataType::Map(entries, _) = map else {
        return false;
    };
    match entries.data_type() {
        DataType::Struct(fields) => fields
            .first()
            .is_some_and(|key| *key.data_type() == DataType::Utf8),
        _ => false,
    }
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_string())
}

/// The value as CAST to STRING prints it.
fn printed(column: &ArrayRef, row: usize) -> Result<String> {
    let mut out = String::new();
    printer_of(column.as_ref())?(row, &mut out)
        .map_err(|_| exec_datafusion_err!("a value of {} cannot be printed", column.data_type()))?;
    Ok(out)
}

/// One value of a column as JSON.
pub(crate) fn json_of(column: &ArrayRef, row: usize) -> Result<Json<'static>> {
    if column.is_null(row) {
        return Ok(Json::Null);
    }
    let double = |value: f64, text: String| {
        // JSON has no such numbers.
        if value.is_finite() {
            Json::Number(text.into())
        } else {
            Json::Text(text.into())
        }
    };
    let elements = |values: ArrayRef| {
        (0..values.len())
            .map(|i| json_of(&values, i))
            .collect::<Result<Vec<_>>>()
    };
    Ok(match column.data_type() {
        DataType::Null => Json::Null,
        DataType::Boolean => Json::Boolean(column.as_boolean().value(row)),
        // As the DOUBLE that it is.
        DataType::Float32 => {
            let value = f64::from(column.as_primitive::<Float32Type>().value(row));
            let mut text = String::new();
            let _ = java::write_double(value, &mut text);
            double(value, text)
        }
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            let mut text = String::new();
            let _ = java::write_double(value, &mut text);
            double(value, text)
        }
        DataType::Utf8 => Json::Text(owned(column.as_string::<i32>().value(row))),
        DataType::Binary => {
            Json::Text(STANDARD.encode(column.as_binary::<i32>().value(row)).into())
        }
        DataType::List(_) => Json::Array(elements(column.as_list::<i32>().value(row))?),
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let mut object = Vec::new();
            for i in 0..entries.len() {
                let key = json_of(keys, i)?;
                let key = key
                    .plain()
                    .map_or_else(|| "null".to_string(), Cow::into_owned);
                put(&mut object, key.into(), json_of(values, i)?);
            }
            Json::Object(object)
        }
        DataType::Struct(fields) => {
            let values = column.as_struct();
            let mut object = Vec::new();
            for (field, value) in fields.iter().zip(values.columns()) {
                put(&mut object, owned(field.name()), json_of(value, row)?);
            }
            Json::Object(object)
        }
        DataType::Timestamp(_, zone) => {
            let printed = printed(column, row)?.replacen(' ', "T", 1);
            let short = match printed.split_once('.') {
                Some((whole, fraction)) => match fraction.trim_end_matches('0') {
                    "" => whole.to_string(),
                    fraction => format!("{whole}.{fraction}"),
                },
                None => printed,
            };
            let end = if zone.is_some() { "Z" } else { "" };
            Json::Text(format!("{short}{end}").into())
        }
        data_type if data_type.is_numeric() => Json::Number(printed(column, row)?.into()),
        other => return exec_err!("{other} cannot be converted into JSON"),
    })
}

/// An argument as JSON: as such where it was made by a JSON function.
fn argument(call: &Call, at: usize, column: &ArrayRef, row: usize) -> Result<Json<'static>> {
    let value = json_of(column, row)?;
    match &value {
        Json::Text(text) if call.is_json(at) => match Json::parse(text) {
            Some(parsed) => Ok(parsed.into_owned()),
            None => Ok(value),
        },
        _ => Ok(value),
    }
}

fn keeps_null(call: &Call) -> bool {
    call.constant_text(0)
        .is_none_or(|text| text.starts_with("NULL"))
}

fn full_columns(call: &Call) -> Result<Vec<ArrayRef>> {
    (0..call.len()).map(|at| call.full_array(at)).collect()
}

fn json_object(call: &Call) -> Result<ArrayRef> {
    let columns = full_columns(call)?;
    let keeps_null = keeps_null(call);
    call.strings(|row, out| {
        let mut object = Vec::new();
        for at in (1..columns.len()).step_by(2) {
            let Json::Text(key) = json_of(&columns[at], row)? else {
                return exec_err!("JSON_OBJECT: a key is NULL");
            };
            let value = argument(call, at + 1, &columns[at + 1], row)?;
            if value != Json::Null || keeps_null {
                put(&mut object, key, value);
            }
        }
        Json::Object(object).write(out);
        Ok(true)
    })
}

fn json_array(call: &Call) -> Result<ArrayRef> {
    let columns = full_columns(call)?;
    let keeps_null = keeps_null(call);
    call.strings(|row, out| {
        let mut array = Vec::new();
        for (at, column) in columns.iter().enumerate().skip(1) {
            let value = argument(call, at, column, row)?;
            if value != Json::Null || keeps_null {
                array.push(value);
            }
        }
        Json::Array(array).write(out);
        Ok(true)
    })
}

/// In quotes, in ASCII. (Flink leaves control characters as they are where they have no letter, which is no JSON.)
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='\u{7f}' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// Without quotes and escapes, if it is JSON between quotes.
fn unquoted(text: &str) -> Cow<'_, str> {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    match inner
        .filter(|_| Json::parse(text).is_some())
        .and_then(unescaped)
    {
        Some(plain) => plain.into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::sql_tests::value_of;

    #[test]
    fn as_measured() {
        for (sql, expected) in [
            ("JSON_STRING(1)", "1"),
            (r#"JSON_STRING('a"b')"#, r#""a\"b""#),
            ("JSON_STRING(CAST(NULL AS INT))", "NULL"),
            ("JSON_STRING(TRUE)", "true"),
            ("JSON_STRING(arrow_cast(1.5, 'Decimal128(3, 2)'))", "1.50"),
            ("JSON_STRING(CAST(1.5 AS DOUBLE))", "1.5"),
            ("JSON_STRING(CAST(1e10 AS DOUBLE))", "1.0E+10"),
            ("JSON_STRING(make_array(1,2))", "[1,2]"),
            (
                "JSON_STRING(arrow_cast('2024-01-02 03:04:05.678', 'Timestamp(Millisecond, None)'))",
                r#""2024-01-02T03:04:05.678""#,
            ),
            ("JSON_STRING(arrow_cast('ab', 'Binary'))", r#""YWI=""#),
            ("JSON_STRING(CAST(100 AS DECIMAL(10,2)))", "100.00"),
            ("json_object('NULL ON NULL')", "{}"),
            (
                "json_object('NULL ON NULL', 'a', 1, 'b', 'x')",
                r#"{"a":1,"b":"x"}"#,
            ),
            (
                "json_object('NULL ON NULL', 'b', 1, 'a', 'x')",
                r#"{"a":"x","b":1}"#,
            ),
            (
                "json_object('NULL ON NULL', 'a', CAST(NULL AS INT))",
                r#"{"a":null}"#,
            ),
            (
                "json_object('ABSENT ON NULL', 'a', CAST(NULL AS INT))",
                "{}",
            ),
            (
                "json_object('NULL ON NULL', 'a', json_object('NULL ON NULL', 'b', 1))",
                r#"{"a":{"b":1}}"#,
            ),
            (
                "json_object('NULL ON NULL', 'a', json_array('ABSENT ON NULL', 1, 2))",
                r#"{"a":[1,2]}"#,
            ),
            (
                r#"json_object('NULL ON NULL', 'a', JSON('[1, {"b": 1.0}]'))"#,
                r#"{"a":[1,{"b":1.0}]}"#,
            ),
            ("json_object('NULL ON NULL', 'a', '[1]')", r#"{"a":"[1]"}"#),
            ("json_object('NULL ON NULL', 'a', 1, 'a', 2)", r#"{"a":2}"#),
            ("json_array('ABSENT ON NULL')", "[]"),
            (
                "json_array('ABSENT ON NULL', 1, 'a', TRUE, CAST(NULL AS INT))",
                r#"[1,"a",true]"#,
            ),
            (
                "json_array('NULL ON NULL', 1, CAST(NULL AS INT))",
                "[1,null]",
            ),
            (
                "json_array('ABSENT ON NULL', json_array('ABSENT ON NULL', 1), json_object('NULL ON NULL', 'a', 1))",
                r#"[[1],{"a":1}]"#,
            ),
            (
                r#"json_array('ABSENT ON NULL', 'é', 'a"b\c', '/')"#,
                r#"["é","a\"b\\c","/"]"#,
            ),
            (r#"JSON_QUOTE('a"b')"#, r#""a\"b""#),
            (r#"JSON_QUOTE('é\n/')"#, r#""\u00e9\\n\/""#),
            ("JSON_QUOTE(CAST(NULL AS VARCHAR))", "NULL"),
            (r#"JSON_UNQUOTE('"a\"b"')"#, r#"a"b"#),
            (r#"JSON_UNQUOTE('"abc"')"#, "abc"),
            ("JSON_UNQUOTE('abc')", "abc"),
            (r#"JSON_UNQUOTE('"\u00e9"')"#, "é"),
            (r#"JSON_UNQUOTE('{"a":1}')"#, r#"{"a":1}"#),
            (r#"JSON_UNQUOTE('"a')"#, r#""a"#),
            (r#"JSON_UNQUOTE('""')"#, ""),
            (r#"JSON_UNQUOTE('"a" "b"')"#, r#"a" "b"#),
            (r#"JSON_UNQUOTE('"\ud83d\ude00"')"#, "😀"),
            (r#"JSON_UNQUOTE('"\x"')"#, r#""\x""#),
            (
                r#"json_string(map(['a'], [1])), json_string(named_struct('b', 1, 'a', 'x'))"#,
                r#"{"a":1} {"a":"x","b":1}"#,
            ),
            (
                "JSON_STRING(arrow_cast('2024-01-02 03:04:00', 'Timestamp(Second, None)'))",
                r#""2024-01-02T03:04:00""#,
            ),
            (
                "JSON_STRING(arrow_cast('2024-01-02 03:04:05.12', 'Timestamp(Millisecond, None)'))",
                r#""2024-01-02T03:04:05.12""#,
            ),
            (
                "JSON_STRING(TO_TIMESTAMP_LTZ(1705276800123, 3))",
                r#""2024-01-15T00:00:00.123Z""#,
            ),
            (
                "JSON_STRING(TO_TIMESTAMP_LTZ(1705276800000, 3))",
                r#""2024-01-15T00:00:00Z""#,
            ),
            (
                "JSON_STRING(arrow_cast(1.1, 'Float32'))",
                "1.100000023841858",
            ),
            ("JSON_STRING(CAST('NaN' AS DOUBLE))", r#""NaN""#),
            (
                "JSON_STRING(arrow_cast('0.00000001', 'Decimal128(20, 10)'))",
                "1.00E-8",
            ),
            (r#"JSON_UNQUOTE('"')"#, r#"""#),
            (r#"JSON_UNQUOTE(' "a" ')"#, r#" "a" "#),
            ("JSON_UNQUOTE('[1]')", "[1]"),
            // JSON that comes from a column.
            (
                r#"json_array('NULL ON NULL', s, json_object('NULL ON NULL', 'k', s))"#,
                r#"["n,7",{"k":"n,7"}]"#,
            ),
        ] {
            assert_eq!(value_of(sql), expected, "{sql}");
        }
    }
}
