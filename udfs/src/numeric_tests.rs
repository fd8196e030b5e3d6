//! What Flink 2.3 gave for the same calls; where its integers wrap around, an error.

use super::*;
use crate::testing::{bigint, decimal, double, evaluate, int, show};

fn float(value: f32) -> ScalarValue {
    ScalarValue::Float32(Some(value))
}

#[test]
fn values() {
    let table: &[(&str, &[ScalarValue], &str)] = &[
        ("round", &[decimal(25, 2, 1)], "3"),
        ("round", &[decimal(-25, 2, 1)], "-3"),
        ("round", &[double(2.5)], "3.0"),
        ("round", &[double(1.005), int(2)], "1.01"),
        ("round", &[decimal(123_456, 10, 3), int(1)], "123.5"),
        ("round", &[decimal(123_456, 10, 3), int(5)], "123.456"),
        ("round", &[decimal(9_999, 4, 2), int(1)], "100.0"),
        ("round", &[decimal(1_234_500, 10, 3), int(-2)], "1200"),
        ("round", &[decimal(5, 10, 3), int(-40)], "0"),
        ("round", &[int(155), int(-1)], "160"),
        ("round", &[bigint(-155), int(-1)], "-160"),
        ("round", &[int(155), int(3)], "155"),
        ("round", &[float(1.25), int(1)], "1.3"),
        ("round", &[ScalarValue::Int32(None)], "NULL"),
        ("round", &[double(2.5), ScalarValue::Int32(None)], "NULL"),
        ("truncate", &[decimal(42_345, 5, 3), int(2)], "42.34"),
        ("truncate", &[decimal(42_345, 10, 3), int(-1)], "40"),
        ("truncate", &[decimal(42_345, 10, 3)], "42"),
        ("truncate", &[double(-42.345), int(2)], "-42.34"),
        ("truncate", &[double(0.29), int(2)], "0.29"),
        ("truncate", &[int(155), int(-1)], "150"),
        ("truncate", &[float(42.345), int(1)], "42.3"),
        ("floor", &[decimal(-250, 5, 2)], "-3"),
        ("floor", &[decimal(-999, 3, 2)], "-10"),
        ("floor", &[double(-0.5)], "-1.0"),
        ("floor", &[int(5)], "5"),
        ("ceil", &[decimal(999, 3, 2)], "10"),
        ("ceiling", &[double(2.1)], "3.0"),
        ("ceil", &[double(-0.5)], "0.0"),
        ("floor", &[float(-2.1)], "-3.0"),
        ("abs", &[int(-3)], "3"),
        ("abs", &[decimal(-325, 5, 2)], "3.25"),
        ("abs", &[float(-3.5)], "3.5"),
        ("sign", &[int(-3)], "-1"),
        ("sign", &[decimal(-325, 5, 2)], "-1.00"),
        ("sign", &[double(-3.5)], "-1.0"),
        ("mod", &[int(-7), int(3)], "-1"),
        ("mod", &[decimal(75, 2, 1), int(2)], "1.5"),
        ("mod", &[decimal(725, 10, 2), decimal(25, 5, 1)], "2.25"),
        ("mod", &[bigint(7), int(3)], "1"),
        ("power", &[int(2), int(3)], "8.0"),
        ("power", &[bigint(2), double(0.5)], "1.4142135623730951"),
        ("sqrt", &[int(-1)], "NaN"),
        ("ln", &[int(10)], "2.302585092994046"),
        ("ln", &[int(0)], "-Infinity"),
        ("log", &[int(100)], "4.605170185988092"),
        ("log", &[int(2), int(8)], "3.0"),
        ("log10", &[decimal(100_000, 10, 2)], "3.0"),
        ("log2", &[int(8)], "3.0"),
        ("exp", &[int(1)], "2.718281828459045"),
    ];
    for (name, args, expected) in table {
        assert_eq!(show(name, args), *expected, "{name} {args:?}");
    }
}

#[test]
fn types() {
    let d = DataType::Decimal128;
    let table: &[(&str, &[ScalarValue], DataType)] = &[
        ("round", &[decimal(25, 2, 1)], d(2, 0)),
        ("round", &[decimal(123_456, 10, 3), int(1)], d(9, 1)),
        ("round", &[decimal(9_999, 4, 2), int(1)], d(4, 1)),
        ("round", &[decimal(1_234_500, 10, 3), int(-2)], d(8, 0)),
        ("round", &[int(155), int(-1)], DataType::Int32),
        ("truncate", &[decimal(42_345, 10, 3), int(2)], d(10, 2)),
        ("floor", &[decimal(-250, 5, 2)], d(5, 0)),
        ("mod", &[decimal(725, 10, 2), decimal(25, 5, 1)], d(6, 2)),
        ("mod", &[bigint(7), int(3)], DataType::Int32),
        ("mod", &[int(7), bigint(3)], DataType::Int64),
    ];
    for (name, args, expected) in table {
        let result = evaluate(name, args.to_vec()).unwrap();
        assert_eq!(result.data_type(), *expected, "{name} {args:?}");
    }
}

#[test]
fn failures_and_limits() {
    let table: &[(&str, &[ScalarValue], &str)] = &[
        // As in Java: there is no larger one.
        ("abs", &[int(i32::MIN)], "-2147483648"),
        (
            "abs",
            &[ScalarValue::Int64(Some(i64::MIN))],
            "-9223372036854775808",
        ),
        (
            "round",
            &[int(i32::MAX), int(-1)],
            "overflows INT: 2147483650",
        ),
        ("mod", &[int(7), int(0)], "Division by zero"),
        (
            "sign",
            &[decimal(1, 3, 3)],
            "SIGN: 1 does not fit DECIMAL(3, 3)",
        ),
        ("mod", &[double(7.5), int(2)], "MOD: the arguments are"),
        (
            "round",
            &[ScalarValue::Utf8(None)],
            "ROUND: argument 1 is Utf8, expected a number",
        ),
    ];
    for (name, args, expected) in table {
        let message = show(name, args);
        assert!(message.contains(expected), "{message}");
    }
}
