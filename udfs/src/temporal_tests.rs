//! What Flink 2.3 gave for the same calls.

use super::*;
use crate::testing::{
    bigint, date, decimal, double, evaluate, int, no_text, show, text, timestamp,
};

fn check(table: &[(&str, &[ScalarValue], &str)]) {
    for (name, args, expected) in table {
        assert_eq!(show(name, args), *expected, "{name} {args:?}");
    }
}

fn s(value: &str) -> ScalarValue {
    timestamp(value, TimeUnit::Second)
}

fn ms(value: &str) -> ScalarValue {
    timestamp(value, TimeUnit::Millisecond)
}

fn us(value: &str) -> ScalarValue {
    timestamp(value, TimeUnit::Microsecond)
}

fn clock(seconds: i32) -> ScalarValue {
    ScalarValue::Time32Second(Some(seconds))
}

#[test]
fn formats() {
    let at = || ms("2024-03-05 07:08:09.123");
    check(&[
        (
            "date_format",
            &[at(), text("yyyy-MM-dd HH:mm:ss.SSS")],
            "2024-03-05 07:08:09.123",
        ),
        (
            "date_format",
            &[text("2024-03-05 17:08:09"), text("yyyyMMdd")],
            "20240305",
        ),
        ("date_format", &[text("bad"), text("yyyyMMdd")], "NULL"),
        ("date_format", &[at(), no_text()], "NULL"),
        (
            "from_unixtime",
            &[bigint(1_705_276_800)],
            "2024-01-15 00:00:00",
        ),
        (
            "from_unixtime",
            &[int(1_705_276_800), text("yyyyMMdd HH")],
            "20240115 00",
        ),
        ("from_unixtime", &[int(-1)], "1969-12-31 23:59:59"),
    ]);
    let wrong = show("date_format", &[date("2024-03-05"), text("yyyy")]);
    assert!(wrong.contains("expected TIMESTAMP or STRING"), "{wrong}");
    let wrong = show("date_format", &[at(), text("bad")]);
    assert!(
        wrong.contains("DATE_FORMAT: pattern 'bad' has the letter 'b'"),
        "{wrong}"
    );
}

#[test]
fn parses() {
    let p = |t: &str| text(t);
    check(&[
        (
            "to_timestamp",
            &[p("2024-01-02 03:04:05.6789")],
            "2024-01-02 03:04:05.678",
        ),
        ("to_timestamp", &[p("2024-01-02T03:04:05")], "NULL"),
        (
            "to_timestamp",
            &[p("2024-1-2"), p("yyyy-MM-dd")],
            "2024-01-02 00:00:00.000",
        ),
        (
            "to_timestamp",
            &[p(" 2024-01-02 03:04:05 "), p("yyyy-MM-dd HH:mm:ss")],
            "2024-01-02 03:04:05.000",
        ),
        (
            "to_timestamp",
            &[p("2024-01-02 03:04:05.12345"), p("yyyy-MM-dd HH:mm")],
            "2024-01-02 03:04:05.123",
        ),
        (
            "to_timestamp",
            &[
                p("2024-01-02T03:04:05.12Z"),
                p("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"),
            ],
            "NULL",
        ),
        (
            "to_timestamp_ltz",
            &[bigint(1_705_276_800_123), int(3)],
            "2024-01-15 00:00:00.123",
        ),
        (
            "to_timestamp_ltz",
            &[int(100), int(0)],
            "1970-01-01 00:01:40.000",
        ),
        (
            "to_timestamp_ltz",
            &[bigint(1_705_276_800_123)],
            "2024-01-15 00:00:00.123",
        ),
        (
            "to_timestamp_ltz",
            &[int(-1), int(3)],
            "1969-12-31 23:59:59.999",
        ),
        (
            "to_timestamp_ltz",
            &[double(1_705_276_800.5), int(0)],
            "2024-01-15 00:00:00.500",
        ),
        (
            "to_timestamp_ltz",
            &[double(1_705_276_800_123.7), int(3)],
            "2024-01-15 00:00:00.123",
        ),
        (
            "to_timestamp_ltz",
            &[decimal(1_705_276_800_123, 20, 3), int(0)],
            "2024-01-15 00:00:00.000",
        ),
        (
            "to_timestamp_ltz",
            &[bigint(1_705_276_800_123_456), int(6)],
            "2024-01-15 00:00:00.123456",
        ),
        ("to_timestamp_ltz", &[bigint(i64::MAX), int(3)], "NULL"),
        (
            "to_timestamp_ltz",
            &[ScalarValue::Int64(None), int(3)],
            "NULL",
        ),
        (
            "to_timestamp_ltz",
            &[p("2024-01-02 03:04:05.678")],
            "2024-01-02 03:04:05.678",
        ),
        (
            "to_timestamp_ltz",
            &[p("2024/01/02"), p("yyyy/MM/dd")],
            "2024-01-02 00:00:00.000",
        ),
        (
            "to_timestamp_ltz",
            &[p("bad")],
            "error: Execution error: TO_TIMESTAMP_LTZ: 'bad' could not be parsed",
        ),
        ("to_date", &[p("2024-01-02")], "2024-01-02"),
        ("to_date", &[p("2024-02-30"), p("yyyy-MM-dd")], "2024-03-01"),
        ("to_date", &[p("bad")], "NULL"),
        ("unix_timestamp", &[p("2024-01-02 03:04:05")], "1704164645"),
        ("unix_timestamp", &[p("2024-1-2 3:4:5")], "1704164645"),
        ("unix_timestamp", &[p("2024-01-02 03:04:65")], "1704164705"),
        (
            "unix_timestamp",
            &[p("2024/01/02"), p("yyyy/MM/dd")],
            "1704153600",
        ),
        ("unix_timestamp", &[p("bad")], "-9223372036854775808"),
    ]);
    let wrong = show("to_timestamp_ltz", &[int(1), int(12)]);
    assert!(wrong.contains("precision 12, expected 0 to 9"), "{wrong}");
}

#[test]
fn differences() {
    let diff = |unit: &str, from: ScalarValue, to: ScalarValue, expected: &str| {
        let args = [text(unit), from, to];
        assert_eq!(show("timestampdiff", &args), expected, "{args:?}");
    };
    diff(
        "MINUTE",
        s("2024-01-01 00:00:59"),
        s("2024-01-01 00:02:58"),
        "1",
    );
    diff(
        "MONTH",
        s("2024-01-31 00:00:00"),
        s("2024-02-29 00:00:00"),
        "1",
    );
    diff("YEAR", date("2020-02-29"), date("2021-02-28"), "1");
    diff(
        "DAY",
        s("2024-01-02 00:00:00"),
        s("2024-01-01 00:00:01"),
        "0",
    );
    diff(
        "SECOND",
        ms("2024-01-01 00:00:00.900"),
        ms("2024-01-01 00:00:02.100"),
        "1",
    );
    diff(
        "SECOND",
        ms("2024-01-01 00:00:02.100"),
        ms("2024-01-01 00:00:00.900"),
        "-1",
    );
    diff("QUARTER", date("2024-01-01"), date("2024-07-01"), "2");
    diff("WEEK", date("2024-01-01"), date("2024-01-20"), "2");
    diff("HOUR", date("2024-01-01"), s("2024-01-02 05:59:59"), "29");
    diff("DAY", s("2024-01-01 12:00:00"), date("2024-01-03"), "1");
    // Flink gives 1000: it subtracts whole seconds.
    diff(
        "MILLISECOND",
        ms("2024-01-01 00:00:00.900"),
        ms("2024-01-01 00:00:02.100"),
        "1200",
    );
    diff("DAY", ScalarValue::Null, date("2024-01-03"), "NULL");
    let args = [text("MICROSECOND"), date("2024-01-01"), date("2024-02-01")];
    let wrong = show("timestampdiff", &args);
    assert!(
        wrong.contains("2678400000000 units do not fit INT"),
        "{wrong}"
    );
}

#[test]
fn additions() {
    let add = |unit: &str, count: ScalarValue, to: ScalarValue, expected: &str| {
        let args = [text(unit), count, to];
        assert_eq!(show("timestampadd", &args), expected, "{args:?}");
    };
    add(
        "MINUTE",
        int(5),
        s("2024-01-01 00:00:59"),
        "2024-01-01 00:05:59",
    );
    add(
        "MONTH",
        int(1),
        s("2024-01-31 00:00:00"),
        "2024-02-29 00:00:00",
    );
    add("DAY", int(-1), date("2024-01-01"), "2023-12-31");
    add(
        "HOUR",
        int(1),
        date("2024-01-01"),
        "2024-01-01 01:00:00.000000",
    );
    add("YEAR", int(1), date("2024-02-29"), "2025-02-28");
    add(
        "WEEK",
        int(1),
        ms("2024-01-01 00:00:00.123"),
        "2024-01-08 00:00:00.123",
    );
    add("QUARTER", int(1), date("2024-01-31"), "2024-04-30");
    add(
        "SECOND",
        bigint(5),
        s("2024-01-01 00:00:59"),
        "2024-01-01 00:01:04",
    );
    add(
        "MILLISECOND",
        int(5),
        s("2024-01-01 00:00:59"),
        "2024-01-01 00:00:59.005",
    );
    add("HOUR", int(25), clock(36_000), "11:00:00");
    let wrong = show(
        "timestampadd",
        &[text("FORTNIGHT"), int(1), date("2024-01-01")],
    );
    assert!(wrong.contains("'FORTNIGHT' is no unit of time"), "{wrong}");
}

#[test]
fn to_units() {
    let at = || ms("2024-05-17 13:45:31.987");
    let table: &[(&str, ScalarValue, &str, &str)] = &[
        ("floor", at(), "YEAR", "2024-01-01 00:00:00.000"),
        ("floor", at(), "QUARTER", "2024-04-01 00:00:00.000"),
        ("floor", at(), "MONTH", "2024-05-01 00:00:00.000"),
        ("floor", at(), "WEEK", "2024-05-12 00:00:00.000"),
        ("floor", at(), "DAY", "2024-05-17 00:00:00.000"),
        ("floor", at(), "HOUR", "2024-05-17 13:00:00.000"),
        ("floor", at(), "MINUTE", "2024-05-17 13:45:00.000"),
        ("floor", at(), "SECOND", "2024-05-17 13:45:31.000"),
        (
            "floor",
            us("2024-05-17 13:45:31.987654"),
            "MILLISECOND",
            "2024-05-17 13:45:31.987000",
        ),
        (
            "floor",
            us("2024-05-17 13:45:31.987654"),
            "DECADE",
            "2020-01-01 00:00:00.000000",
        ),
        (
            "floor",
            ms("1969-12-31 23:59:59.500"),
            "HOUR",
            "1969-12-31 23:00:00.000",
        ),
        ("floor", date("2024-05-17"), "MONTH", "2024-05-01"),
        ("floor", date("2024-05-17"), "HOUR", "2024-05-17"),
        ("floor", date("2024-05-19"), "WEEK", "2024-05-19"),
        ("floor", clock(49_531), "HOUR", "13:00:00"),
        ("ceil", at(), "YEAR", "2025-01-01 00:00:00.000"),
        ("ceil", at(), "QUARTER", "2024-07-01 00:00:00.000"),
        ("ceil", at(), "MONTH", "2024-06-01 00:00:00.000"),
        ("ceil", at(), "WEEK", "2024-05-19 00:00:00.000"),
        ("ceil", at(), "DAY", "2024-05-18 00:00:00.000"),
        ("ceil", at(), "HOUR", "2024-05-17 14:00:00.000"),
        (
            "ceil",
            s("2024-05-17 13:00:00"),
            "HOUR",
            "2024-05-17 13:00:00",
        ),
        (
            "ceil",
            s("2024-05-01 00:00:00"),
            "MONTH",
            "2024-05-01 00:00:00",
        ),
        (
            "ceil",
            us("2024-05-17 13:45:31.987654"),
            "SECOND",
            "2024-05-17 13:45:32.000000",
        ),
    ];
    for (name, value, unit, expected) in table {
        let args = [value.clone(), text(unit)];
        assert_eq!(show(name, &args), *expected, "{name} {args:?}");
    }
    let wrong = show("floor", &[int(5), text("DAY")]);
    assert!(
        wrong.contains("TO a unit of time take a date or time"),
        "{wrong}"
    );
}

#[test]
fn parts_of_times() {
    let at = || ms("2024-05-17 13:45:31.987");
    let day = || date("2024-05-17");
    check(&[
        ("year", &[at()], "2024"),
        ("quarter", &[day()], "2"),
        ("month", &[day()], "5"),
        ("week", &[date("2024-12-30")], "1"),
        ("dayofyear", &[day()], "138"),
        ("dayofmonth", &[day()], "17"),
        ("dayofweek", &[day()], "6"),
        ("hour", &[at()], "13"),
        ("minute", &[clock(49_531)], "45"),
        ("second", &[at()], "31"),
        ("extract", &[text("DOW"), date("2024-05-19")], "1"),
        ("extract", &[text("ISODOW"), date("2024-05-19")], "7"),
        ("extract", &[text("EPOCH"), at()], "1715953531"),
        ("extract", &[text("MILLISECOND"), at()], "987"),
        ("extract", &[text("ISOYEAR"), date("2024-12-30")], "2025"),
        ("extract", &[text("DECADE"), date("2024-05-19")], "202"),
        ("extract", &[text("CENTURY"), date("2024-05-19")], "21"),
    ]);
}

#[test]
fn now_goes_on() {
    for (name, expected) in [
        (
            "current_timestamp",
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        ),
        (
            "proctime",
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        ),
        ("localtimestamp", MILLIS),
        ("current_date", DataType::Date32),
        ("current_time", DataType::Time32(TimeUnit::Second)),
        ("unix_timestamp", DataType::Int64),
    ] {
        let value = evaluate(name, vec![]).unwrap();
        assert_eq!(value.data_type(), expected, "{name}");
        assert!(!value.is_null(), "{name}");
    }
}
