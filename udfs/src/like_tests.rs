//! LIKE and SIMILAR TO as recorded from Flink.

use datafusion::common::ScalarValue;

use super::*;
use crate::testing::{evaluate_udf, text};

const TEXTS: &[&str] = &[
    "abc",
    "a.c",
    "a%c",
    "a\nc",
    "",
    "aaa",
    "ab",
    "a_c",
    "a\\%c",
    "a!%c",
    "\u{1F600}bc",
    "aBc",
    "1",
    "[",
    "a\\c",
    "abcabc",
    "a{",
    "*",
    "-",
    "_",
];

/// A pattern, the ESCAPE, and those of the texts that match; None where the pattern is refused.
type Recorded = (
    &'static str,
    Option<&'static str>,
    Option<&'static [&'static str]>,
);

const LIKES: &[Recorded] = &[
    ("abc", None, Some(&["abc"])),
    ("a.c", None, Some(&["a.c"])),
    (
        "a%",
        None,
        Some(&[
            "abc", "a.c", "a%c", "a\nc", "aaa", "ab", "a_c", "a\\%c", "a!%c", "aBc", "a\\c",
            "abcabc", "a{",
        ]),
    ),
    (
        "%c",
        None,
        Some(&[
            "abc",
            "a.c",
            "a%c",
            "a\nc",
            "a_c",
            "a\\%c",
            "a!%c",
            "\u{1F600}bc",
            "aBc",
            "a\\c",
            "abcabc",
        ]),
    ),
    ("_b_", None, Some(&["abc", "\u{1F600}bc"])),
    ("a\nc", None, Some(&["a\nc"])),
    (
        "%",
        None,
        Some(&[
            "abc",
            "a.c",
            "a%c",
            "a\nc",
            "",
            "aaa",
            "ab",
            "a_c",
            "a\\%c",
            "a!%c",
            "\u{1F600}bc",
            "aBc",
            "1",
            "[",
            "a\\c",
            "abcabc",
            "a{",
            "*",
            "-",
            "_",
        ]),
    ),
    ("[a-c]+", None, Some(&[])),
    ("(ab|cd)%", None, Some(&[])),
    ("a*", None, Some(&[])),
    ("a+", None, Some(&[])),
    ("a?bc", None, Some(&[])),
    ("a{3}", None, Some(&[])),
    ("[^a]bc", None, Some(&[])),
    ("a\\%c", None, Some(&["a\\%c", "a\\c"])),
    ("a!%c", None, Some(&["a!%c"])),
    ("[[:alpha:]]*", None, Some(&[])),
    ("[a-z]%", None, Some(&[])),
    ("a|abc", None, Some(&[])),
    ("^abc", None, Some(&[])),
    ("abc$", None, Some(&[])),
    ("", None, Some(&[""])),
    ("[", None, Some(&["["])),
    ("(", None, Some(&[])),
    ("a\\", None, Some(&[])),
    ("[:ALPHA:]", None, Some(&[])),
    ("[[:ALPHA:]]+", None, Some(&[])),
    ("[[:DIGIT:]]", None, Some(&[])),
    ("[a%]", None, Some(&[])),
    (
        "a_c",
        None,
        Some(&["abc", "a.c", "a%c", "a_c", "aBc", "a\\c"]),
    ),
    ("a\\_c", None, Some(&["a\\%c"])),
    ("\\d", None, Some(&[])),
    ("a\\.c", None, Some(&[])),
    ("(a)(b)c", None, Some(&[])),
    ("a{1,2}bc", None, Some(&[])),
    ("a{", None, Some(&["a{"])),
    ("*", None, Some(&["*"])),
    ("[a-c&&b]", None, Some(&[])),
    ("-", None, Some(&["-"])),
    ("[_]", None, Some(&[])),
    ("[^[:DIGIT:]]bc", None, Some(&[])),
    ("[abc^b]+", None, Some(&[])),
    ("a!%c", Some("!"), Some(&["a%c"])),
    ("a!_c", Some("!"), Some(&["a_c"])),
    ("!%%", Some("!"), Some(&[])),
    ("a!bc", Some("!"), None),
    ("a!", Some("!"), None),
    ("!!", Some("!"), Some(&[])),
    ("a!.c", Some("!"), None),
    ("[!a]bc", Some("!"), None),
    ("a!!%c", Some("!"), Some(&["a!%c"])),
    ("a%c", Some("%"), None),
    ("a_c", Some(""), None),
    ("a_c", Some("xx"), None),
    ("a\\%c", Some("\\"), Some(&["a%c"])),
];

const SIMILARS: &[Recorded] = &[
    ("abc", None, Some(&["abc"])),
    (
        "a.c",
        None,
        Some(&["abc", "a.c", "a%c", "a_c", "aBc", "a\\c"]),
    ),
    (
        "a%",
        None,
        Some(&[
            "abc", "a.c", "a%c", "a\nc", "aaa", "ab", "a_c", "a\\%c", "a!%c", "aBc", "a\\c",
            "abcabc", "a{",
        ]),
    ),
    (
        "%c",
        None,
        Some(&[
            "abc",
            "a.c",
            "a%c",
            "a\nc",
            "a_c",
            "a\\%c",
            "a!%c",
            "\u{1F600}bc",
            "aBc",
            "a\\c",
            "abcabc",
        ]),
    ),
    ("_b_", None, Some(&["abc", "\u{1F600}bc"])),
    ("a\nc", None, Some(&["a\nc"])),
    (
        "%",
        None,
        Some(&[
            "abc",
            "a.c",
            "a%c",
            "a\nc",
            "",
            "aaa",
            "ab",
            "a_c",
            "a\\%c",
            "a!%c",
            "\u{1F600}bc",
            "aBc",
            "1",
            "[",
            "a\\c",
            "abcabc",
            "a{",
            "*",
            "-",
            "_",
        ]),
    ),
    ("[a-c]+", None, Some(&["abc", "aaa", "ab", "abcabc"])),
    ("(ab|cd)%", None, Some(&["abc", "ab", "abcabc"])),
    ("a*", None, Some(&["", "aaa"])),
    ("a+", None, Some(&["aaa"])),
    ("a?bc", None, Some(&["abc"])),
    ("a{3}", None, Some(&["aaa"])),
    ("[^a]bc", None, Some(&["\u{1F600}bc"])),
    ("a\\%c", None, Some(&["a\\%c", "a\\c"])),
    ("a!%c", None, Some(&["a!%c"])),
    (
        "[[:alpha:]]*",
        None,
        Some(&["abc", "", "aaa", "ab", "aBc", "abcabc"]),
    ),
    (
        "[a-z]%",
        None,
        Some(&[
            "abc", "a.c", "a%c", "a\nc", "aaa", "ab", "a_c", "a\\%c", "a!%c", "aBc", "a\\c",
            "abcabc", "a{",
        ]),
    ),
    ("a|abc", None, Some(&["abc"])),
    ("^abc", None, Some(&["abc"])),
    ("abc$", None, Some(&[])),
    ("", None, Some(&[""])),
    ("[", None, None),
    ("(", None, None),
    ("a\\", None, Some(&[])),
    ("[:ALPHA:]", None, Some(&[])),
    (
        "[[:ALPHA:]]+",
        None,
        Some(&["abc", "aaa", "ab", "aBc", "abcabc"]),
    ),
    ("[[:DIGIT:]]", None, Some(&["1"])),
    ("[a%]", None, None),
    (
        "a_c",
        None,
        Some(&["abc", "a.c", "a%c", "a_c", "aBc", "a\\c"]),
    ),
    ("a\\_c", None, Some(&["a\\%c"])),
    ("\\d", None, Some(&[])),
    ("a\\.c", None, Some(&["a\\%c"])),
    ("(a)(b)c", None, Some(&["abc"])),
    ("a{1,2}bc", None, Some(&["abc"])),
    ("a{", None, None),
    ("*", None, None),
    ("[a-c&&b]", None, Some(&[])),
    ("-", None, Some(&["-"])),
    ("[_]", None, None),
    ("[^[:DIGIT:]]bc", None, Some(&["abc", "\u{1F600}bc"])),
    ("[abc^b]+", None, Some(&["abc", "aaa", "ab", "abcabc"])),
    ("a!%c", Some("!"), Some(&["a%c"])),
    ("a!_c", Some("!"), Some(&["a_c"])),
    ("!%%", Some("!"), Some(&[])),
    ("a!bc", Some("!"), None),
    ("a!", Some("!"), None),
    ("!!", Some("!"), Some(&[])),
    ("a!.c", Some("!"), None),
    ("[!a]bc", Some("!"), None),
    ("a!!%c", Some("!"), Some(&["a!%c"])),
    ("a\\%c", Some("\\"), Some(&["a%c"])),
];

/// With constants and, as testing does it, with a column of texts; and with a column of patterns.
fn check(function: &'static Function, recorded: &[Recorded]) {
    let udf = crate::function::udf(function);
    for (pattern, escape, expected) in recorded {
        for subject in TEXTS {
            let mut args = vec![text(subject), text(pattern)];
            args.extend(escape.map(text));
            let given = evaluate_udf(&udf, args);
            match expected {
                None => assert!(given.is_err(), "{pattern:?} {escape:?}: {given:?}"),
                Some(expected) => assert_eq!(
                    given.unwrap(),
                    ScalarValue::Boolean(Some(expected.contains(subject))),
                    "{subject:?} {pattern:?} {escape:?}"
                ),
            }
        }
    }
}

#[test]
fn like_as_flink() {
    check(&LIKE, LIKES);
}

#[test]
fn similar_as_flink() {
    check(&SIMILAR_TO, SIMILARS);
}

#[test]
fn nulls_and_patterns_of_rows() {
    let like = crate::function::udf(&LIKE);
    let none = ScalarValue::Utf8(None);
    for args in [
        vec![none.clone(), text("a")],
        vec![text("a"), none.clone()],
        vec![text("a"), text("a"), none],
    ] {
        assert!(evaluate_udf(&like, args).unwrap().is_null());
    }
    use datafusion::arrow::array::{AsArray, StringArray};
    use datafusion::arrow::datatypes::Field;
    use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
    use std::sync::Arc;
    let call =
        |udf: &datafusion::logical_expr::ScalarUDF, patterns: Vec<&str>| -> Result<Vec<bool>> {
            let rows = patterns.len();
            let field = Arc::new(Field::new("a", DataType::Utf8, true));
            let texts = StringArray::from(vec!["abc"; rows]);
            let result = udf.invoke_with_args(ScalarFunctionArgs {
                args: vec![
                    ColumnarValue::Array(Arc::new(texts)),
                    ColumnarValue::Array(Arc::new(StringArray::from(patterns))),
                ],
                arg_fields: vec![Arc::clone(&field); 2],
                number_rows: rows,
                return_field: Arc::new(Field::new("r", DataType::Boolean, true)),
                config_options: Default::default(),
            })?;
            let array = result.into_array(rows)?;
            Result::Ok(
                array
                    .as_boolean()
                    .iter()
                    .map(|v| v == Some(true))
                    .collect::<Vec<_>>(),
            )
        };
    let given = call(&like, vec!["abc", "a%", "a.c", "_b_", "_b", r"a\bc"]).unwrap();
    assert_eq!(given, [true, true, false, true, false, false]);
    let similar = crate::function::udf(&SIMILAR_TO);
    let given = call(&similar, vec!["abc", "a.c", "[a-c]+", "x|abc", "x|ab"]).unwrap();
    assert_eq!(given, [true, true, true, true, false]);
    let why = call(&similar, vec!["abc", "["]).unwrap_err().to_string();
    assert!(why.contains("SIMILAR TO: the pattern '['"), "{why}");
}
