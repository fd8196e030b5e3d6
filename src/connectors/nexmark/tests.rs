//! Tests of the connector through its public face.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::connectors::source as make_source;
use crate::connectors::testing::{read_all, request, table};

fn columns() -> Vec<(&'static str, DataType)> {
    let row = |(name, fields): &(&'static str, &[(&str, &str)])| {
        (
            *name,
            DataType::Struct(fields.iter().map(field_of).collect()),
        )
    };
    let rows = COLUMNS.iter().map(row);
    std::iter::once((EVENT_TYPE, DataType::Int32))
        .chain(rows)
        .collect()
}

fn options<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![("connector", "nexmark")];
    all.extend(more);
    all
}

/// Some columns of some events.
async fn rows(
    columns_read: &[usize],
    more: &[(&str, &str)],
    batch_rows: usize,
    restored: Option<&str>,
) -> Vec<String> {
    let table = table(&columns(), &options(more));
    let source = make_source(&table).unwrap();
    assert!(source.is_bounded());
    let mut request = request(&table, columns_read);
    request.batch_rows = batch_rows;
    request.restored = restored
        .map(|p| HashMap::from([(PARTITION.to_string(), p.to_string())]))
        .unwrap_or_default();
    let (rows, events) = read_all(&mut *source.reader(request).await.unwrap()).await;
    assert_eq!(events, ["+nexmark", "-nexmark"]);
    rows
}

#[tokio::test]
async fn the_same_events_whatever_is_read_in_whatever_batches() {
    let limit = [("events.num", "1230")];
    let all = rows(&[0, 1, 2, 3], &limit, 1000, None).await;
    assert_eq!(all.len(), 1230);
    assert_eq!(rows(&[0, 1, 2, 3], &limit, 7, None).await, all);
    assert_eq!(
        rows(&[0, 1, 2, 3], &limit, 1000, Some("101")).await,
        all[101..]
    );
    let bids = rows(&[3], &limit, 1000, None).await;
    for (row, bid) in all.iter().zip(&bids) {
        assert_eq!(row.split('|').nth(3), Some(bid.as_str()));
    }
    let other = rows(&[0, 1, 2, 3], &[limit[0], ("seed", "1")], 1000, None).await;
    assert_ne!(other, all);
}

#[tokio::test]
async fn events_have_the_shape_of_the_benchmark() {
    let all = rows(&[0, 1, 2, 3], &[("events.num", "50000")], 8192, None).await;
    let of = |kind: &str| -> Vec<&String> { all.iter().filter(|r| r.starts_with(kind)).collect() };
    let (persons, auctions, bids) = (of("0"), of("1"), of("2"));
    assert_eq!(
        [persons.len(), auctions.len(), bids.len()],
        [1000, 3000, 46000]
    );
    for (column, rows) in [&persons, &auctions, &bids].into_iter().enumerate() {
        for row in rows {
            let cells: Vec<&str> = row.split('|').collect();
            let filled: Vec<bool> = cells[1..].iter().map(|c| !c.is_empty()).collect();
            assert_eq!(filled, [column == 0, column == 1, column == 2], "{row}");
        }
    }
    assert!(persons[0].contains("{id: 1000, ") && persons[999].contains("{id: 1999, "));
    assert!(auctions[0].contains("{id: 1000, ") && auctions[2999].contains("{id: 3999, "));
    assert!(
        bids[0].contains("dateTime: 2025-01-01T00:00:00, "),
        "{}",
        bids[0]
    );
    assert!(bids[45999].contains("dateTime: 2025-01-01T00:00:04.999, "));

    let field = |row: &str, name: &str| -> i64 {
        let (_, rest) = row.split_once(&format!("{name}: ")).unwrap();
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        digits.parse().unwrap()
    };
    let hot = |name: &str, rest: i64| -> usize {
        let rows = bids.iter().filter(|r| field(r, name) % 100 == rest);
        rows.count() * 100 / bids.len()
    };
    assert!((48..55).contains(&hot("auction", 0)));
    assert!((73..80).contains(&hot("bidder", 1)));
    let prices: Vec<i64> = bids.iter().map(|r| field(r, "price")).collect();
    assert!(prices.iter().all(|p| (100..=100_000_000).contains(p)));
    let of_categories = auctions.iter().map(|r| field(r, "category"));
    assert_eq!(of_categories.collect::<HashSet<_>>(), (10..15).collect());
    let lasting = auctions.iter().filter(|r| {
        let time = |name: &str| {
            let (_, rest) = r.split_once(&format!("{name}: ")).unwrap();
            rest[.."2025-01-01T00:00:00".len()].to_string()
        };
        time("dateTime") <= time("expires") && time("expires").as_str() < "2025-01-01T00:00:06"
    });
    assert_eq!(lasting.count(), auctions.len());
    let channels = bids.iter().map(|r| {
        let rest = r.split_once("channel: ").unwrap().1;
        rest.split(',').next().unwrap()
    });
    let channels: HashSet<&str> = channels.collect();
    assert!(channels.contains("Apple") && channels.len() > 5000);
    let length: usize = bids.iter().map(|r| r.len()).sum::<usize>() / bids.len();
    assert!((200..260).contains(&length), "{length}");
}

#[tokio::test]
async fn without_a_limit_events_come_at_their_rate() {
    let table = table(&columns(), &options(&[("first-event.rate", "1000000")]));
    let source = make_source(&table).unwrap();
    assert!(!source.is_bounded());
    let mut asked = request(&table, &[0]);
    asked.bounded = true;
    let error = source.reader(asked).await.err().unwrap();
    assert!(format!("{error:?}").contains("events.num"), "{error:?}");
    let mut idle = request(&table, &[0]);
    (idle.instance, idle.parallelism) = (1, 2);
    let mut reader = source.reader(idle).await.unwrap();
    assert_eq!(read_all(&mut *reader).await, (Vec::new(), Vec::new()));
    assert!(reader.positions().is_empty());
}

#[test]
fn any_proportions_run() {
    for proportions in [
        ["0", "0", "1"],
        ["1", "0", "0"],
        ["0", "7", "0"],
        ["2", "0", "3"],
    ] {
        let [a, b, c] = proportions.map(|p| p.parse().unwrap());
        let shape = Shape {
            seed: 0,
            rate: 1,
            persons: a,
            auctions: b,
            bids: c,
        };
        let kinds = shape.runs(0..40).map(|(_, run)| run.end - run.start);
        assert_eq!(kinds.sum::<u64>(), 40);
        let events = Events::new(shape);
        for column in columns().into_iter().skip(1) {
            let table = table(&[column], &options(&[]));
            let rows = events.rows(5..40, &request(&table, &[0])).unwrap();
            assert_eq!(rows.num_rows(), 35);
        }
    }
}

#[test]
fn mistakes_are_refused() {
    let message = |columns: &[(&str, DataType)], more: &[(&str, &str)]| {
        let mistakes = make_source(&table(columns, &options(more))).err().unwrap();
        let mistake = &mistakes[0];
        format!(
            "{} / {}",
            mistake.message,
            mistake.help.as_deref().unwrap_or_default()
        )
    };
    for (option, value, expected) in [
        ("event.num", "1", "did you mean 'events.num'?"),
        ("bid.proportions", "1", "did you mean 'bid.proportion'?"),
        ("bid.proportion", "-1", "a number from 0"),
        ("first-event.rate", "0", "a number from 1"),
        ("next-event.rate", "5", "the rate does not change"),
    ] {
        let text = message(&columns(), &[(option, value)]);
        assert!(text.contains(expected), "{text}");
    }
    let none = ["person", "auction", "bid"].map(|kind| format!("{kind}.proportion"));
    let none: Vec<(&str, &str)> = none.iter().map(|key| (key.as_str(), "0")).collect();
    assert!(message(&columns(), &none).contains("above zero"));
    let text = message(&[("bids", DataType::Int32)], &[]);
    assert!(text.contains("did you mean 'bid'?"), "{text}");
    let text = message(&[("bid", DataType::Int32)], &[]);
    assert!(text.contains("write: bid ROW<`auction` BIGINT, "), "{text}");
}
