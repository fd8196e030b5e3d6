//! Tests of the connector against the embedded broker, or against the one that `FLOWLINE_TEST_KAFKA` names.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::{ArrayRef, BinaryBuilder};
use arrow::array::{
    Int32Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};

use super::*;
use crate::changelog::Batch;
use crate::connectors::testing::{next, read_all, request, table, texts};
use crate::connectors::{
    JobContext, ReadRequest, SinkMode, SourceEvent, SourceReader, WriteRequest, sink as make_sink,
    source as make_source,
};
use crate::error::Error;

const COLUMNS: &[(&str, DataType)] = &[("a", DataType::Int32), ("b", DataType::Utf8)];

/// A broker and a topic of its own on it.
struct Case {
    bootstrap: String,
    topic: String,
    _broker: Option<EmbeddedBroker>,
}

impl Case {
    async fn new(partitions: i32) -> Self {
        let topic = format!("t{:x}", fastrand::u64(..));
        if let Ok(bootstrap) = std::env::var("FLOWLINE_TEST_KAFKA") {
            assert!(create_topic(&bootstrap, &topic, partitions).await.unwrap());
            return Self {
                bootstrap,
                topic,
                _broker: None,
            };
        }
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic(&topic, partitions).unwrap();
        Self {
            bootstrap: broker.bootstrap_servers().to_string(),
            topic,
            _broker: Some(broker),
        }
    }

    fn table(&self, columns: &[(&str, DataType)], options: &[(&str, &str)]) -> Table {
        let mut table = table(columns, options);
        for (key, value) in [
            ("connector", "kafka"),
            ("topic", &self.topic),
            ("properties.bootstrap.servers", &self.bootstrap),
            ("scan.startup.mode", "earliest-offset"),
        ] {
            if key != "scan.startup.mode" || table.connector() != Some("upsert-kafka") {
                table
                    .with
                    .entry(key.to_string())
                    .or_insert_with(|| value.to_string());
            }
        }
        if !table.with.contains_key("value.format") {
            table
                .with
                .entry("format".to_string())
                .or_insert_with(|| "json".to_string());
        }
        table
    }

    fn bounded(&self, columns: &[(&str, DataType)], options: &[(&str, &str)]) -> Table {
        let mut table = self.table(columns, options);
        table
            .with
            .entry("scan.bounded.mode".to_string())
            .or_insert_with(|| "latest-offset".to_string());
        table
    }

    async fn produce(&self, records: &[(Option<&str>, &str, i64)]) {
        let producer = Producer::connect(&self.bootstrap, &self.topic)
            .await
            .unwrap();
        for (key, payload, timestamp) in records {
            producer
                .send(key.map(str::as_bytes), payload.as_bytes(), Some(*timestamp))
                .await
                .unwrap();
        }
        producer.flush().await.unwrap();
    }

    fn name(&self, partition: i32) -> String {
        format!("{}-{partition}", self.topic)
    }
}

fn all(table: &Table) -> ReadRequest {
    request(table, &(0..table.columns.len()).collect::<Vec<_>>())
}

async fn reader(table: &Table, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
    make_source(table).unwrap().reader(request).await
}

async fn rows(table: &Table) -> Vec<String> {
    let mut reader = reader(table, all(table)).await.unwrap();
    let (mut rows, _) = read_all(&mut *reader).await;
    rows.sort();
    rows
}

async fn error(table: &Table) -> Error {
    let mut reader = match reader(table, all(table)).await {
        Ok(reader) => reader,
        Err(error) => return error,
    };
    loop {
        match reader.next().await {
            Ok(SourceEvent::End) => panic!("no error"),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

async fn write(table: &Table, batches: &[Batch]) -> Result<()> {
    let sink = make_sink(table).unwrap();
    let mut writer = sink
        .writer(WriteRequest {
            instance: 0,
            schema: table.sink_schema(),
            key: table.sink_key(),
            updating: true,
            job: JobContext::new("test", None),
        })
        .await?;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.close().await
}

fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(schema, columns).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_up_to_the_end_and_says_what_happens() {
    let case = Case::new(3).await;
    let records: Vec<String> = (0..3000)
        .map(|i| format!("{{\"a\":{i},\"b\":\"x\"}}"))
        .collect();
    let records: Vec<(Option<&str>, &str, i64)> = records
        .iter()
        .map(|r| (Some(r.as_str()), r.as_str(), 5))
        .collect();
    case.produce(&records).await;
    let table = case.bounded(COLUMNS, &[]);
    let mut request = all(&table);
    request.batch_rows = 100;
    let metrics = Arc::clone(&request.metrics);
    let mut reader = reader(&table, request).await.unwrap();
    let (mut rows, mut events) = read_all(&mut *reader).await;
    rows.sort_by_key(|row| row.split('|').next().unwrap().parse::<i32>().unwrap());
    assert_eq!(
        rows,
        (0..3000).map(|i| format!("{i}|x")).collect::<Vec<_>>()
    );
    let assigned = events.remove(0);
    events.retain(|event| event != "quiet");
    events.sort();
    assert_eq!(
        assigned,
        format!("+{},{},{}", case.name(0), case.name(1), case.name(2))
    );
    assert_eq!(events, [0, 1, 2].map(|p| format!("-{}", case.name(p))));
    assert_eq!(metrics.total.load(Ordering::Relaxed), 3000);
    assert_eq!(metrics.done.load(Ordering::Relaxed), 3000);
    let end: i64 = reader
        .positions()
        .iter()
        .map(|(_, offset)| offset.parse::<i64>().unwrap())
        .sum();
    assert_eq!(end, 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_reader_loses_nothing_and_restores() {
    let case = Case::new(2).await;
    let table = case.table(COLUMNS, &[]);
    assert!(!make_source(&table).unwrap().is_bounded());
    let mut first = reader(&table, all(&table)).await.unwrap();
    assert!(matches!(next(&mut *first).await, SourceEvent::Assigned(_)));
    assert!(matches!(next(&mut *first).await, SourceEvent::Quiet));
    let producer = Producer::connect(&case.bootstrap, &case.topic)
        .await
        .unwrap();
    let mut read = Vec::new();
    for i in 0..20 {
        let record = format!("{{\"a\":{i}}}");
        producer
            .send(Some(record.as_bytes()), record.as_bytes(), None)
            .await
            .unwrap();
        producer.flush().await.unwrap();
        // Giving up on a call must lose nothing.
        while let Ok(event) =
            tokio::time::timeout(Duration::from_millis(i % 3 * 20), first.next()).await
        {
            if let SourceEvent::Rows { rows, .. } = event.unwrap() {
                read.extend(texts(&rows));
            }
        }
    }
    let restored: HashMap<String, String> = first
        .positions()
        .into_iter()
        .map(|(partition, offset)| (partition.to_string(), offset))
        .collect();
    assert_eq!(restored.len(), 2);
    drop(first);
    let table = case.bounded(COLUMNS, &[]);
    let mut second = reader(
        &table,
        ReadRequest {
            restored,
            ..all(&table)
        },
    )
    .await
    .unwrap();
    read.extend(read_all(&mut *second).await.0);
    read.sort_by_key(|row| row.split('|').next().unwrap().parse::<i32>().unwrap());
    assert_eq!(read, (0..20).map(|i| format!("{i}|")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_share_out_the_partitions() {
    let case = Case::new(5).await;
    let table = case.bounded(COLUMNS, &[]);
    let source = make_source(&table).unwrap();
    let mut assigned = Vec::new();
    for instance in 0..3 {
        let request = ReadRequest {
            instance,
            parallelism: 3,
            ..all(&table)
        };
        let (_, events) = read_all(&mut *source.reader(request).await.unwrap()).await;
        let partitions = events
            .iter()
            .filter_map(|e| e.strip_prefix('+'))
            .flat_map(|names| names.split(','));
        assigned.extend(partitions.map(str::to_string));
    }
    assigned.sort();
    assert_eq!(assigned, (0..5).map(|p| case.name(p)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_and_stops_where_told() {
    let case = Case::new(1).await;
    let records: Vec<String> = (0..10).map(|i| format!("{{\"a\":{i}}}")).collect();
    let records: Vec<(Option<&str>, &str, i64)> = (0..)
        .zip(&records)
        .map(|(i, r)| (None, r.as_str(), 1000 + i * 100))
        .collect();
    case.produce(&records).await;
    let read = async |options: &[(&str, &str)]| -> Vec<i32> {
        rows(&case.bounded(&[("a", DataType::Int32)], options))
            .await
            .iter()
            .map(|r| r.parse().unwrap())
            .collect()
    };
    let at = ("scan.startup.mode", "specific-offsets");
    assert_eq!(
        read(&[
            at,
            ("scan.startup.specific-offsets", "partition:0,offset:7")
        ])
        .await,
        [7, 8, 9]
    );
    assert_eq!(
        read(&[("scan.startup.mode", "latest-offset")]).await,
        [0; 0]
    );
    let end = ("scan.bounded.mode", "specific-offsets");
    assert_eq!(
        read(&[
            end,
            ("scan.bounded.specific-offsets", "partition:0,offset:2")
        ])
        .await,
        [0, 1]
    );
    if case._broker.is_none() {
        // The embedded broker does not look up times.
        let at = ("scan.startup.mode", "timestamp");
        let end = ("scan.bounded.mode", "timestamp");
        assert_eq!(
            read(&[at, ("scan.startup.timestamp-millis", "1650")]).await,
            [7, 8, 9]
        );
        assert_eq!(
            read(&[at, ("scan.startup.timestamp-millis", "9999")]).await,
            [0; 0]
        );
        assert_eq!(
            read(&[end, ("scan.bounded.timestamp-millis", "1200")]).await,
            [0, 1]
        );
    }
    let mut snapshot = all(&case.table(&[("a", DataType::Int32)], &[]));
    snapshot.bounded = true;
    let table = case.table(&[("a", DataType::Int32)], &[]);
    assert_eq!(
        read_all(&mut *reader(&table, snapshot).await.unwrap())
            .await
            .0
            .len(),
        10
    );
    let group = ("properties.group.id", "nobody");
    let message =
        error(&case.bounded(COLUMNS, &[("scan.startup.mode", "group-offsets"), group])).await;
    assert!(
        message
            .message
            .ends_with("partition 0: group 'nobody' has committed no offset"),
        "{message}"
    );
    let reset = ("properties.auto.offset.reset", "earliest");
    assert_eq!(
        read(&[("scan.startup.mode", "group-offsets"), group, reset])
            .await
            .len(),
        10
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let case = Case::new(1).await;
    case.produce(&[(None, "{\"a\":1}", 5), (None, "{\"a\":\"x\"}", 5)])
        .await;
    let message = error(&case.bounded(COLUMNS, &[])).await.message;
    let place = format!("topic '{}' partition 0 offset 1: field 'a': ", case.topic);
    assert!(message.starts_with(&place), "{message}");

    let near = case.topic.to_uppercase();
    let unknown = error(&case.bounded(COLUMNS, &[("topic", &near)])).await;
    assert_eq!(
        unknown.message,
        format!("there is no topic '{near}' at {}", case.bootstrap)
    );
    assert_eq!(
        unknown.help.unwrap(),
        format!("did you mean '{}'?", case.topic)
    );
    if case._broker.is_none() {
        // The embedded broker creates topics that somebody wants to write to.
        let unknown = write(&case.table(COLUMNS, &[("topic", &near)]), &[])
            .await
            .unwrap_err();
        assert_eq!(
            unknown.message,
            format!("there is no topic '{near}' at {}", case.bootstrap)
        );
    }

    let at = ("scan.startup.mode", "specific-offsets");
    let options = [
        at,
        ("scan.startup.specific-offsets", "partition:0,offset:999"),
    ];
    let message = error(&case.table(COLUMNS, &options)).await.message;
    let place = format!(
        "topic '{}' partition 0 offset 999: the offset does not exist: ",
        case.topic
    );
    assert!(message.starts_with(&place), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_metadata_and_headers_go_out_and_come_back() {
    let case = Case::new(2).await;
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let headers = metadata_keys()
        .into_iter()
        .find(|k| k.key == "headers")
        .unwrap()
        .data_type;
    let columns = [
        ("k_id", DataType::Int64),
        ("@@timestamp", time),
        ("b", DataType::Utf8),
        ("@@headers", headers),
        ("@partition", DataType::Int32),
        ("@offset", DataType::Int64),
        ("@topic", DataType::Utf8),
        ("@leader-epoch", DataType::Int32),
        ("@timestamp-type", DataType::Utf8),
    ];
    let options = [
        ("key.format", "json"),
        ("key.fields", "k_id"),
        ("key.fields-prefix", "k_"),
        ("value.format", "json"),
        ("value.fields-include", "EXCEPT_KEY"),
        ("sink.partitioner", "fixed"),
    ];
    let table = case.bounded(&columns, &options);
    let names = MapFieldNames {
        entry: "entries".into(),
        key: "key".into(),
        value: "value".into(),
    };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), BinaryBuilder::new());
    maps.keys().append_value("h");
    maps.values().append_value(b"v");
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    let rows = batch(
        table.sink_schema(),
        vec![
            Arc::new(Int64Array::from(vec![7, 8])),
            Arc::new(
                TimestampMillisecondArray::from(vec![1_736_899_200_123, 5]).with_timezone("UTC"),
            ),
            Arc::new(StringArray::from(vec![Some("x"), None])),
            Arc::new(maps.finish()),
        ],
    );
    write(&table, &[Batch::append(rows)]).await.unwrap();
    let row = |id: i64, time: &str, b: &str, headers: &str, offset: i64| {
        format!(
            "{id}|{time}|{b}|{headers}|0|{offset}|{}||CreateTime",
            case.topic
        )
    };
    assert_eq!(
        self::rows(&table).await,
        [
            row(7, "2025-01-15T00:00:00.123Z", "x", "{h: 76}", 0),
            row(8, "1970-01-01T00:00:00.005Z", "", "{}", 1)
        ]
    );
    let mut reader = reader(&table, request(&table, &[5])).await.unwrap();
    assert_eq!(read_all(&mut *reader).await.0, ["0", "1"]);
    // The records themselves.
    let raw = case.bounded(
        &[("k", DataType::Binary), ("v", DataType::Utf8)],
        &[
            ("key.format", "raw"),
            ("key.fields", "k"),
            ("value.format", "raw"),
            ("value.fields-include", "EXCEPT_KEY"),
        ],
    );
    assert_eq!(
        self::rows(&raw).await,
        [
            "7b226964223a377d|{\"b\":\"x\"}",
            "7b226964223a387d|{\"b\":null}"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn upserts_leave_the_latest_row_and_tombstones() {
    let case = Case::new(4).await;
    let mut table = case.table(
        COLUMNS,
        &[
            ("connector", "upsert-kafka"),
            ("key.format", "json"),
            ("value.format", "json"),
        ],
    );
    table.with.remove("scan.startup.mode");
    assert!(
        make_sink(&table).err().unwrap()[0]
            .message
            .contains("needs a PRIMARY KEY")
    );
    assert!(
        make_source(&table).err().unwrap()[0]
            .message
            .contains("needs a PRIMARY KEY")
    );
    table.primary_key = Some(vec![0]);
    assert_eq!(make_sink(&table).unwrap().mode(), SinkMode::Upsert);
    let changes = |rows: &[(i32, &str, i64)]| Batch {
        rows: batch(
            table.sink_schema(),
            vec![
                Arc::new(rows.iter().map(|r| Some(r.0)).collect::<Int32Array>()),
                Arc::new(rows.iter().map(|r| Some(r.1)).collect::<StringArray>()),
            ],
        ),
        weights: Some(rows.iter().map(|r| Some(r.2)).collect::<Int64Array>()),
        behind: None,
    };
    let first = changes(&[(1, "a", 1), (2, "b", 1), (3, "c", 1)]);
    let second = changes(&[
        (1, "a", -1),
        (1, "A", 1),
        (2, "b", -1),
        (3, "c", -1),
        (3, "c", 1),
    ]);
    write(&table, &[first, second]).await.unwrap();
    let raw = case.bounded(
        &[("k", DataType::Utf8), ("v", DataType::Utf8)],
        &[
            ("key.format", "raw"),
            ("key.fields", "k"),
            ("value.format", "raw"),
            ("value.fields-include", "EXCEPT_KEY"),
        ],
    );
    // The tombstone of 2 is a NULL for a plain table of the raw format.
    let rows = [
        r#"{"a":1}|{"a":1,"b":"A"}"#,
        r#"{"a":1}|{"a":1,"b":"a"}"#,
        r#"{"a":2}|"#,
        r#"{"a":2}|{"a":2,"b":"b"}"#,
        r#"{"a":3}|{"a":3,"b":"c"}"#,
    ];
    let mut reader = reader(&raw, all(&raw)).await.unwrap();
    let (mut read, _) = read_all(&mut *reader).await;
    let ends: i64 = reader
        .positions()
        .iter()
        .map(|(_, p)| p.parse::<i64>().unwrap())
        .sum();
    read.sort();
    assert_eq!(read, rows);
    assert_eq!(ends, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_go_to_the_partition_that_java_sends_them_to() {
    let case = Case::new(10).await;
    let records: Vec<(Option<&str>, &str, i64)> =
        ["21", "foobar", "a-little-bit-long-string", "abc"]
            .iter()
            .map(|k| (Some(*k), "{}", 5))
            .collect();
    case.produce(&records).await;
    let table = case.bounded(
        &[
            ("k", DataType::Utf8),
            ("v", DataType::Utf8),
            ("@partition", DataType::Int32),
        ],
        &[
            ("key.format", "raw"),
            ("key.fields", "k"),
            ("value.format", "raw"),
            ("value.fields-include", "EXCEPT_KEY"),
        ],
    );
    // murmur2 of the keys, as in Kafka's own tests of it: -973932308, -790332482, -985981536, 479470107; & 0x7fffffff, % 10.
    let expected = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("abc", 479_470_107),
    ];
    let mut expected: Vec<String> = expected
        .iter()
        .map(|(k, hash): &(&str, i32)| format!("{k}|{{}}|{}", (hash & 0x7fff_ffff) % 10))
        .collect();
    expected.sort();
    assert_eq!(rows(&table).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_column_says_where_rows_go() {
    let case = Case::new(1).await;
    let other = format!("{}b", case.topic);
    match &case._broker {
        Some(broker) => broker.create_topic(&other, 1).unwrap(),
        None => assert!(create_topic(&case.bootstrap, &other, 1).await.unwrap()),
    }
    let both = format!("{}; {other}", case.topic);
    let columns = [("a", DataType::Int32), ("@@topic", DataType::Utf8)];
    let table = case.bounded(&columns, &[("topic", &both)]);
    let rows = |topics: Vec<&str>| {
        Batch::append(batch(
            table.sink_schema(),
            vec![
                Arc::new(Int32Array::from_iter_values(0..topics.len() as i32)),
                Arc::new(StringArray::from(topics)),
            ],
        ))
    };
    write(&table, &[rows(vec![&case.topic, &other])])
        .await
        .unwrap();
    assert_eq!(
        self::rows(&table).await,
        [format!("0|{}", case.topic), format!("1|{other}")]
    );
    let refused = write(&table, &[rows(vec!["elsewhere"])]).await.unwrap_err();
    assert!(
        refused
            .message
            .contains("'elsewhere', which is not one of its topics")
    );
    let without = case.table(&[("a", DataType::Int32)], &[("topic", &both)]);
    assert!(
        make_sink(&without).err().unwrap()[0]
            .message
            .contains("several topics")
    );
    let pattern = format!("{}.?", case.topic);
    let mut table = case.bounded(&columns, &[("topic-pattern", &pattern)]);
    table.with.remove("topic");
    assert_eq!(self::rows(&table).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_are_skipped_are_counted() {
    let case = Case::new(1).await;
    case.produce(&[
        (None, "{\"a\":1}", 5),
        (None, "nonsense", 5),
        (None, "[{\"a\":2},{\"a\":3}]", 5),
    ])
    .await;
    let table = case.bounded(
        &[("a", DataType::Int32), ("@offset", DataType::Int64)],
        &[("json.ignore-parse-errors", "true")],
    );
    let request = all(&table);
    let metrics = Arc::clone(&request.metrics);
    let (rows, _) = read_all(&mut *reader(&table, request).await.unwrap()).await;
    assert_eq!(rows, ["1|0", "2|2", "3|2"]);
    assert_eq!(metrics.bad_rows.load(Ordering::Relaxed), 1);
    let first = metrics.first_bad_rows.lock().unwrap()[0].clone();
    assert!(
        first.starts_with(&format!("topic '{}' partition 0 offset 1: ", case.topic)),
        "{first}"
    );
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let message = |options: &[(&str, &str)]| {
        let mut all = vec![
            ("connector", "kafka"),
            ("topic", "t"),
            ("properties.bootstrap.servers", "localhost:1"),
            ("scan.startup.mode", "earliest-offset"),
        ];
        all.extend(options);
        let mut errors = make_source(&table(COLUMNS, &all)).err().unwrap();
        let error = errors.remove(0);
        format!("{} ({})", error.message, error.help.unwrap_or_default())
    };
    let json = ("format", "json");
    assert!(message(&[]).contains("'format' is missing"));
    assert!(
        message(&[json, ("value.format", "json")]).contains("either 'format' or 'value.format'")
    );
    assert!(message(&[json, ("key.format", "json")]).contains("needs 'key.fields'"));
    assert!(message(&[json, ("key.fields", "a")]).contains("needs 'key.format'"));
    assert!(
        message(&[json, ("key.format", "json"), ("key.fields", "aa")])
            .contains("did you mean 'a'?")
    );
    assert!(
        message(&[json, ("sink.delivery-guarantee", "exactly-once")])
            .contains("needs 'sink.transactional-id-prefix'")
    );
    assert!(
        message(&[json, ("scan.startup.mod", "x")]).contains("did you mean 'scan.startup.mode'?")
    );
    assert!(
        message(&[json, ("json.ignore-parse-error", "x")])
            .contains("did you mean 'json.ignore-parse-errors'?")
    );
    assert!(message(&[json, ("topic-pattern", "x")]).contains("not both"));
    assert!(message(&[json, ("topic", "a b")]).contains("cannot be the name of a topic"));
    assert!(message(&[json, ("scan.parallelism", "0")]).contains("a number above 0"));
    assert!(message(&[json, ("sink.partitioner", "com.x.Y")]).contains("classes cannot be loaded"));
    let keys = [("key.format", "json"), ("key.fields", "a")];
    assert!(message(&[json, keys[0], keys[1], ("key.fields-prefix", "k_")]).contains("EXCEPT_KEY"));
    assert!(
        message(&[json, keys[0], keys[1], ("sink.partitioner", "round-robin")])
            .contains("key.fields")
    );
}
