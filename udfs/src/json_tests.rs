//! The JSON functions on what was measured on Flink 2.3, in the forms that flowline's parser gives them.

use crate::sql_tests::{run, value_of};

/// Calls and what Flink's of the same meaning gave.
const MEASURED: &[(&str, &str)] = &[
    (r#"json_value('{"a": 3.10}', '$.a')"#, "3.10"),
    (r#"json_value('{"a": "x"}', '$.a')"#, "x"),
    (r#"json_value('{"a": true}', '$.a')"#, "true"),
    (r#"json_value('{"a": null}', '$.a')"#, "NULL"),
    (r#"json_value('{"a": null}', 'lax $.a')"#, "NULL"),
    (
        r#"json_value('{"a": null}', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": null}', 'lax $.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_value('{"b": 1}', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"b": 1}', 'lax $.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_value('{"b": 1}', 'strict $.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": {"b":1}}', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": {"b":1}}', 'lax $.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_value('{"a": [1,2]}', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (r#"json_value('{"a": [1,2]}', '$.a[0]')"#, "1"),
    (r#"json_value('{"a": [1,2]}', '$.a[1]')"#, "2"),
    (
        r#"json_value('{"a": [1,2]}', '$.a[2]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": [1,2]}', 'lax $.a[2]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_value('{"a": [1,2]}', '$.a[-1]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "2",
    ),
    (
        r#"json_value('{"a": [1,2]}', '$.a[*]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": [1]}', '$.a[*]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": [1]}', 'lax $.a[*]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (r#"json_value('{"a b": 1}', '$[''a b'']')"#, "1"),
    (r#"json_value('{"a": {"b.c": 2}}', '$.a[''b.c'']')"#, "2"),
    (
        "json_value('not json', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')",
        "r",
    ),
    (
        "json_value('not json', 'lax $.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')",
        "e",
    ),
    (
        "json_value('', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')",
        "r",
    ),
    (
        "json_value('', 'lax $.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')",
        "e",
    ),
    ("json_value('5', '$')", "5"),
    (r#"json_value('"abc"', '$')"#, "abc"),
    (
        "json_value('null', '$', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')",
        "r",
    ),
    (
        r#"json_value('{"a":1}', '$', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        "json_value(CAST(NULL AS VARCHAR), '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')",
        "NULL",
    ),
    (
        r#"json_value('{"a": 5}', '$.a', 'RETURNING INT', 'NULL ON EMPTY', NULL, 'NULL ON ERROR', NULL)"#,
        "5",
    ),
    (
        r#"json_value('{"a": 5.5}', '$.a', 'RETURNING DOUBLE', 'NULL ON EMPTY', NULL, 'NULL ON ERROR', NULL)"#,
        "5.5",
    ),
    (
        r#"json_value('{"a": true}', '$.a', 'RETURNING BOOLEAN', 'NULL ON EMPTY', NULL, 'NULL ON ERROR', NULL)"#,
        "TRUE",
    ),
    (
        r#"json_value('{"a": 5}', '$.a', 'RETURNING VARCHAR', 'NULL ON EMPTY', NULL, 'NULL ON ERROR', NULL)"#,
        "5",
    ),
    (
        r#"json_value('{"a": 5}', '$.z', 'RETURNING INT', 'DEFAULT ON EMPTY', 7, 'DEFAULT ON ERROR', 8)"#,
        "8",
    ),
    (
        r#"json_value('{"a": 5}', 'lax $.z', 'RETURNING INT', 'DEFAULT ON EMPTY', 7, 'DEFAULT ON ERROR', 8)"#,
        "7",
    ),
    (r#"json_value('{"a": 1}', '$.A')"#, "NULL"),
    (
        r#"json_value('{"a": 12345678901234567890}', '$.a')"#,
        "12345678901234567890",
    ),
    (r#"json_value('{"a": 1e3}', '$.a')"#, "1E+3"),
    (r#"json_value('{"a": 1.5e300}', '$.a')"#, "1.5E+300"),
    (r#"json_value('{"a": 1.0}', '$.a')"#, "1.0"),
    (
        r#"json_value('{"a": 0.1234567890123456789}', '$.a')"#,
        "0.1234567890123456789",
    ),
    (r#"json_value('{"a": -0}', '$.a')"#, "0"),
    (r#"json_value('{"a": -0.0}', '$.a')"#, "0.0"),
    (
        r#"json_value('{"a": "\u00e9\n"}', '$.a')"#,
        "é
",
    ),
    (r#"json_value('{"a": 1, "a": 2}', '$.a')"#, "2"),
    (
        r#"json_value('{"a": [{"b": 1},{"b": 2}]}', '$.a[1].b')"#,
        "2",
    ),
    (
        r#"json_value('{"a": [{"b": 1},{"b": 2}]}', '$.a.b', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": [{"b": 1},{"b": 2}]}', 'lax $.a.b', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_value('{"a": [{"b": 1}]}', 'lax $.a.b', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_value('{"a": {"b": 1}}', '$.*', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": 1}', '$.*', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": {"b": 7}}', '$..b', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": 1}', 'a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "1",
    ),
    (
        r#"json_value('{"a": 1}', '$.', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": 1}', '', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": 1}', 'LAX $.z', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (r#"json_value('{"a": 1}', '  lax  $.a')"#, "1"),
    (
        r#"json_value('{"a": [1,2,3]}', '$.a[0,1]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": [1,2,3]}', '$.a[0:1]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a-b": 1, "a_b": 2, "é": 3}', '$.a-b')"#,
        "1",
    ),
    (r#"json_value('{"a-b": 1, "a_b": 2, "é": 3}', '$.é')"#, "3"),
    (
        r#"json_value('{"a": 1} trailing', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "1",
    ),
    (
        "json_value('{''a'': 1}', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')",
        "r",
    ),
    (
        "json_value('{a: 1}', '$.a', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')",
        "r",
    ),
    ("json_value('[1, 2]', '$[1]')", "2"),
    (r#"json_value('{"a": 1}', '$["a"]')"#, "1"),
    (
        r#"json_value('{"a": "x"}', '$.a.b', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": "x"}', 'lax $.a.b', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_value('{"a": "x"}', 'lax $.a[0]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_value('{"a": "x"}', '$.a[0]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": {}}', '$.a.b.c', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_value('{"a": {}}', 'lax $.a.b.c', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "e",
    ),
    (
        r#"json_query('{"a": {"b": 1.10}}', '$.a')"#,
        r#"{"b":1.10}"#,
    ),
    (
        r#"json_query('{"a": {"b": 1.10, "c": [1, 2]}}', '$.a.c')"#,
        "[1,2]",
    ),
    (r#"json_query('{"a": 5}', '$.a')"#, "NULL"),
    (r#"json_query('{"a": "x"}', '$.a')"#, "NULL"),
    (
        r#"json_query('{"a": "x"}', '$.a', 'RETURNING STRING', 'WITH UNCONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        r#"["x"]"#,
    ),
    (
        r#"json_query('{"a": "x"}', '$.a', 'RETURNING STRING', 'WITH CONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        r#"["x"]"#,
    ),
    (
        r#"json_query('{"a": [1]}', '$.a', 'RETURNING STRING', 'WITH CONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        "[1]",
    ),
    (
        r#"json_query('{"a": {"x":1}}', '$.a', 'RETURNING STRING', 'WITH CONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        r#"[{"x":1}]"#,
    ),
    (
        r#"json_query('{"a": [1]}', '$.a', 'RETURNING STRING', 'WITH UNCONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        "[[1]]",
    ),
    (
        r#"json_query('{"a": {"x":1}}', '$.a', 'RETURNING STRING', 'WITH UNCONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        r#"[{"x":1}]"#,
    ),
    (r#"json_query('{"a": [1,2]}', '$.a[*]')"#, "[1,2]"),
    (
        r#"json_query('{"a": [1,2]}', '$.a[*]', 'RETURNING STRING', 'WITH UNCONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        "[[1,2]]",
    ),
    (
        r#"json_query('{"a": [1,2]}', '$.a[*]', 'RETURNING STRING', 'WITH CONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        "[1,2]",
    ),
    (
        r#"json_query('{"a": [1,2]}', 'lax $.a[*]', 'RETURNING STRING', 'WITH CONDITIONAL ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        "[1,2]",
    ),
    (
        r#"json_query('{"a": null}', '$.a', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')"#,
        "{}",
    ),
    (
        r#"json_query('{"a": null}', 'lax $.a', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')"#,
        "[]",
    ),
    (
        r#"json_query('{"a": 1}', '$.z', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')"#,
        "{}",
    ),
    (
        r#"json_query('{"a": 1}', 'lax $.z', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')"#,
        "[]",
    ),
    (
        r#"json_query('{"a": 1}', '$.a', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')"#,
        "{}",
    ),
    (
        r#"json_query('{"a": 1}', 'lax $.a', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')"#,
        "[]",
    ),
    (
        "json_query('bad', '$.a', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')",
        "{}",
    ),
    (
        "json_query('bad', 'lax $.a', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')",
        "[]",
    ),
    (
        r#"json_query('{"a": ["x","y"]}', '$.a', 'RETURNING ARRAY<STRING>', 'WITHOUT ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        "[x, y]",
    ),
    (
        r#"json_query('{"a": ["x",1,null,{"z":1}]}', '$.a', 'RETURNING ARRAY<STRING>', 'WITHOUT ARRAY WRAPPER', 'NULL ON EMPTY', 'NULL ON ERROR')"#,
        r#"[x, 1, NULL, {"z":1}]"#,
    ),
    (
        r#"json_query('{"a": [ 1 , 2.50, "s" , null , {"b" : [ ] } ]}', '$.a')"#,
        r#"[1,2.50,"s",null,{"b":[]}]"#,
    ),
    (
        r#"json_query('{"z":1, "a": 2, "é": "é\n\u0001/"}', '$')"#,
        r#"{"a":2,"z":1,"é":"é\n\u0001/"}"#,
    ),
    (
        "json_query(CAST(NULL AS VARCHAR), '$', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')",
        "NULL",
    ),
    (
        r#"json_query('{"a": {"b": 1e2, "c": 1.0E-5, "d": 100000000000000000000000}}', '$.a')"#,
        r#"{"b":1E+2,"c":0.000010,"d":100000000000000000000000}"#,
    ),
    (r#"json_exists('{"a": 1}', '$.a')"#, "TRUE"),
    (r#"json_exists('{"a": 1}', '$.b')"#, "FALSE"),
    (r#"json_exists('{"a": 1}', 'lax $.b')"#, "FALSE"),
    (r#"json_exists('{"a": null}', '$.a')"#, "FALSE"),
    (r#"json_exists('{"a": null}', 'lax $.a')"#, "FALSE"),
    (r#"json_exists('{"a": 1}', '$.b', 'TRUE ON ERROR')"#, "TRUE"),
    (
        r#"json_exists('{"a": 1}', '$.b', 'UNKNOWN ON ERROR')"#,
        "NULL",
    ),
    (
        r#"json_exists('{"a": 1}', 'lax $.b', 'TRUE ON ERROR')"#,
        "FALSE",
    ),
    ("json_exists('bad', '$.b', 'TRUE ON ERROR')", "TRUE"),
    ("json_exists('bad', 'lax $.b', 'TRUE ON ERROR')", "FALSE"),
    ("json_exists('bad', '$.b')", "FALSE"),
    ("json_exists(CAST(NULL AS VARCHAR), '$.b')", "NULL"),
    (r#"json_exists('{"a": [1,2]}', '$.a[1]')"#, "TRUE"),
    (r#"json_exists('{"a": [1,2]}', '$.a[5]')"#, "FALSE"),
    (r#"json_exists('{"a": []}', '$.a[*]')"#, "TRUE"),
    (r#"json_exists('{"a": []}', 'lax $.a[*]')"#, "TRUE"),
    (r#"is_json('{"a":1}', 'VALUE')"#, "TRUE"),
    ("is_json('abc', 'VALUE')", "FALSE"),
    ("is_json('[1]', 'OBJECT')", "FALSE"),
    ("is_json('[1]', 'ARRAY')", "TRUE"),
    ("is_json('1', 'SCALAR')", "TRUE"),
    (r#"is_json('"a"', 'SCALAR')"#, "TRUE"),
    ("is_json('null', 'SCALAR')", "TRUE"),
    ("is_json('null', 'VALUE')", "TRUE"),
    ("is_json('', 'VALUE')", "FALSE"),
    ("is_json(CAST(NULL AS VARCHAR), 'VALUE')", "FALSE"),
    ("NOT is_json(CAST(NULL AS VARCHAR), 'VALUE')", "TRUE"),
    ("NOT is_json('abc', 'VALUE')", "TRUE"),
    (r#"is_json('{"a":1}', 'SCALAR')"#, "FALSE"),
    (r#"is_json('{"a":1} x', 'VALUE')"#, "TRUE"),
    ("is_json('{a:1}', 'VALUE')", "FALSE"),
    (r#"is_json('{"a":1,}', 'VALUE')"#, "FALSE"),
    (r#"is_json('{"a":1,"a":2}', 'VALUE')"#, "TRUE"),
    ("is_json('01', 'VALUE')", "FALSE"),
    ("is_json('+1', 'VALUE')", "FALSE"),
    ("is_json('NaN', 'VALUE')", "FALSE"),
    ("is_json('.5', 'VALUE')", "FALSE"),
    ("is_json('1.', 'VALUE')", "FALSE"),
    ("is_json('[1,]', 'VALUE')", "FALSE"),
    ("is_json(' 1 ', 'VALUE')", "TRUE"),
    ("is_json('1 2', 'VALUE')", "TRUE"),
    (
        r#"json_value('{"a": {"b": [1]}}', '$.a.z[*]', 'RETURNING STRING', 'DEFAULT ON EMPTY', 'e', 'DEFAULT ON ERROR', 'r')"#,
        "r",
    ),
    (
        r#"json_query('{"a": {"b": [1]}}', '$.a.z[*]', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'EMPTY OBJECT ON ERROR')"#,
        "{}",
    ),
    (
        r#"json_query('{"a": {"b": [1]}}', 'lax $.a.z[*]', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'EMPTY OBJECT ON EMPTY', 'EMPTY OBJECT ON ERROR')"#,
        "[]",
    ),
    (
        r#"json_query('{"a": [{"b": 1}, {"c": 2}]}', '$.a[*].b')"#,
        "[1]",
    ),
    (
        r#"json_query('{"a": [{"b": 1}, {"b": {"b": 3}}]}', '$..b')"#,
        r#"[1,{"b":3},3]"#,
    ),
    (r#"json_query('{"a": [1,2,3,4]}', '$.a[1:3]')"#, "[2,3]"),
    (r#"json_query('{"a": [1,2,3,4]}', '$.a[-2:]')"#, "[3,4]"),
    (r#"json_query('{"a": [1,2,3,4]}', '$.a[0,2]')"#, "[1,3]"),
    (r#"json_query('{"a": 5}', '$.a[*]')"#, "[]"),
    (r#"json_query('{"a": {"x": 1, "b": 2}}', '$.a.*')"#, "[1,2]"),
    (r#"json_query('{"a": 1}', '$.a.')"#, "NULL"),
    (r#"json_exists('{"a": 1}', '$.a[*]')"#, "TRUE"),
    (r#"json_exists('{"a": 1}', '$..zzz')"#, "TRUE"),
];

#[test]
fn as_measured() {
    for (sql, expected) in MEASURED {
        // An expression of constants, and the same over a column.
        assert_eq!(value_of(sql), *expected, "{sql}");
    }
}

#[test]
fn over_columns() {
    let documents =
        r#"(VALUES ('{"a": 3.10}'), ('{"a": "x"}'), (NULL), ('bad'), ('{"b": 1}')) AS t(j)"#;
    let rows = run(&format!(
        "SELECT json_value(j, '$.a'), json_value(j, '$.a', 'RETURNING STRING', 'NULL ON EMPTY', NULL, 'DEFAULT ON ERROR', upper('e')), \
         json_query(j, '$'), json_exists(j, '$.a'), is_json(j, 'VALUE') FROM {documents}"
    ))
    .unwrap();
    assert_eq!(
        rows,
        [
            r#"3.10 3.10 {"a":3.10} TRUE TRUE"#,
            r#"x x {"a":"x"} TRUE TRUE"#,
            "NULL NULL NULL NULL FALSE",
            "NULL E NULL FALSE FALSE",
            r#"NULL E {"b":1} FALSE TRUE"#,
        ]
    );
}

#[test]
fn what_flink_dies_of() {
    // A value of another type than RETURNING names is an error in the sense of ON ERROR.
    for (sql, expected) in [
        (
            r#"json_value('{"a": "x"}', '$.a', 'RETURNING INT', 'DEFAULT ON EMPTY', 7, 'DEFAULT ON ERROR', 8)"#,
            "8",
        ),
        (
            r#"json_value('{"a": 5.7}', '$.a', 'RETURNING INT', 'NULL ON EMPTY', NULL, 'NULL ON ERROR', NULL)"#,
            "NULL",
        ),
        (
            r#"json_value('{"a": 5}', '$.a', 'RETURNING DOUBLE', 'NULL ON EMPTY', NULL, 'NULL ON ERROR', NULL)"#,
            "5.0",
        ),
    ] {
        assert_eq!(value_of(sql), expected, "{sql}");
    }
}

#[test]
fn errors() {
    for (sql, expected) in [
        (
            r#"json_value('{}', '$.z', 'RETURNING STRING', 'NULL ON EMPTY', NULL, 'ERROR ON ERROR', NULL)"#,
            "JSON_VALUE: no fitting value at the path '$.z', and it says ERROR ON ERROR",
        ),
        (
            r#"json_value('{}', 'lax $.z', 'RETURNING STRING', 'ERROR ON EMPTY', NULL, 'NULL ON ERROR', NULL)"#,
            "ERROR ON EMPTY",
        ),
        (
            r#"json_query('{}', '$.z', 'RETURNING STRING', 'WITHOUT ARRAY WRAPPER', 'NULL ON EMPTY', 'ERROR ON ERROR')"#,
            "JSON_QUERY: no fitting value",
        ),
        (
            r#"json_exists('{}', '$.z', 'ERROR ON ERROR')"#,
            "JSON_EXISTS: no fitting value",
        ),
        (
            r#"json_value('{}', '$.z', 'RETURNING BIGINT', 'NULL ON EMPTY', NULL, 'NULL ON ERROR', NULL)"#,
            "Unsupported type 'BIGINT' for RETURNING in JSON_VALUE()",
        ),
        (
            r#"json_value('{}', '$.a[?(@ > 2)]')"#,
            "a JSON path with a filter [?...] is not supported",
        ),
        (
            r#"json_value('{}', '$.a.length()')"#,
            "a JSON path with the function length() is not supported",
        ),
    ] {
        let error = run(&format!("SELECT {sql}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    }
}
