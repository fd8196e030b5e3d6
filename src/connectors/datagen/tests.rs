//! Tests of the connector through its public face.

use std::collections::HashMap;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use tokio::time::Instant;

use super::*;
use crate::connectors::testing::{next, read_all, request, table};
use crate::connectors::{SourceEvent, source as make_source};

fn columns() -> Vec<(&'static str, DataType)> {
    let int = |name: &str| Field::new(name, DataType::Int32, true);
    let pair = Fields::from(vec![Field::new("key", DataType::Utf8, false), int("value")]);
    vec![
        ("id", DataType::Int64),
        ("n", DataType::Int32),
        ("x", DataType::Float64),
        ("d", DataType::Decimal128(10, 2)),
        ("s", DataType::Utf8),
        ("b", DataType::Boolean),
        ("ts", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("day", DataType::Date32),
        (
            "r",
            DataType::Struct(Fields::from(vec![int("u"), int("v")])),
        ),
        ("l", DataType::List(Arc::new(int("item")))),
        (
            "m",
            DataType::Map(
                Arc::new(Field::new("entries", DataType::Struct(pair), false)),
                false,
            ),
        ),
        ("raw", DataType::Binary),
        ("tiny", DataType::Int8),
        ("of_day", DataType::Time32(TimeUnit::Millisecond)),
    ]
}

const OPTIONS: &[(&str, &str)] = &[
    ("connector", "datagen"),
    ("rows-per-second", "1000000"),
    ("seed", "7"),
    ("fields.id.kind", "sequence"),
    ("fields.id.start", "10"),
    ("fields.id.end", "2509"),
    ("fields.n.min", "-5"),
    ("fields.n.max", "5"),
    ("fields.n.null-rate", "0.3"),
    ("fields.d.min", "1"),
    ("fields.d.max", "2"),
    ("fields.s.length", "4"),
    ("fields.ts.max-past", "1 h"),
    ("fields.r.u.min", "1"),
    ("fields.r.u.max", "1"),
    ("fields.l.length", "2"),
    ("fields.l.element.max", "9"),
    ("fields.l.element.min", "0"),
    ("fields.m.length", "1"),
    ("fields.m.key.length", "2"),
    ("fields.raw.length", "8"),
    ("fields.raw.var-len", "true"),
];

async fn rows(batch_rows: usize, restored: Option<&str>) -> Vec<String> {
    let table = table(&columns(), OPTIONS);
    let source = make_source(&table).unwrap();
    assert!(source.is_bounded());
    let mut request = request(&table, &(0..columns().len()).collect::<Vec<_>>());
    request.batch_rows = batch_rows;
    request.restored = restored
        .map(|p| HashMap::from([("datagen".to_string(), p.to_string())]))
        .unwrap_or_default();
    let (rows, events) = read_all(&mut *source.reader(request).await.unwrap()).await;
    assert_eq!(events, ["+datagen", "-datagen"]);
    rows
}

#[tokio::test]
async fn the_same_rows_whatever_the_batches() {
    let all = rows(1000, None).await;
    assert_eq!(all.len(), 2500);
    assert!(all[0].starts_with("10|") && all[2499].starts_with("2509|"));
    assert_eq!(rows(7, None).await, all);
    assert_eq!(rows(1000, Some("100")).await, all[100..]);
    let nulls = all
        .iter()
        .filter(|row| row.split('|').nth(1) == Some(""))
        .count();
    assert!((600..900).contains(&nulls), "{nulls}");
    for row in &all {
        let cells: Vec<&str> = row.split('|').collect();
        let d: f64 = cells[3].parse().unwrap();
        assert!(
            (1.0..=2.0).contains(&d) && cells[4].len() == 4 && cells[8].starts_with("{u: 1,"),
            "{row}"
        );
    }
}

#[tokio::test]
async fn rows_come_at_their_rate() {
    let table = table(
        &[("n", DataType::Int32)],
        &[("connector", "datagen"), ("rows-per-second", "200")],
    );
    let source = make_source(&table).unwrap();
    assert!(!source.is_bounded());
    let mut reader = source.reader(request(&table, &[0])).await.unwrap();
    let started = Instant::now();
    let mut count = 0;
    while count < 60 {
        if let SourceEvent::Rows { rows, .. } = next(&mut *reader).await {
            count += rows.num_rows();
        }
        // Giving up on a call must neither lose rows nor time.
        let _ = tokio::time::timeout(Duration::from_millis(1), reader.next())
            .await
            .map(|event| {
                if let SourceEvent::Rows { rows, .. } = event.unwrap() {
                    count += rows.num_rows();
                }
            });
    }
    let elapsed = started.elapsed();
    assert!(
        (Duration::from_millis(250)..Duration::from_millis(1500)).contains(&elapsed),
        "{elapsed:?}"
    );
    assert_eq!(
        reader.positions(),
        [(Arc::from(PARTITION), count.to_string())]
    );
}

#[tokio::test]
async fn mistakes_are_refused() {
    let message = |options: &[(&str, &str)]| {
        let mut all = vec![("connector", "datagen")];
        all.extend(options);
        make_source(&table(
            &[("n", DataType::Int8), ("s", DataType::Utf8)],
            &all,
        ))
        .err()
        .unwrap()
        .remove(0)
    };
    assert!(
        message(&[("fields.n.min", "5"), ("fields.n.max", "1")])
            .message
            .contains("bounds")
    );
    assert!(
        message(&[("fields.n.max", "1000")])
            .message
            .contains("bounds")
    );
    assert_eq!(
        message(&[("fields.n.mim", "1")]).help.as_deref(),
        Some("did you mean 'fields.n.min'?")
    );
    assert!(
        message(&[("fields.s.kind", "sequence")])
            .message
            .contains("'fields.s.start' is missing")
    );
    assert!(
        message(&[("rows-per-second", "0")])
            .message
            .contains("above zero")
    );
    assert!(
        message(&[("fields.n.null-rate", "2")])
            .message
            .contains("0 to 1")
    );
}
