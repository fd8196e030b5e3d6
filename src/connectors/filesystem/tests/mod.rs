//! Tests of the connector through its public face: reading here, the rest in files of its own.

mod archives;
mod columns;
mod exactly_once;
mod folders;
mod marking;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, TimeUnit};
use tempfile::TempDir;

use super::*;
use crate::changelog::Batch;
use crate::connectors::testing::{next, read_all, request, table};
use crate::connectors::{
    JobContext, ReadRequest, SourceEvent, SourceReader, WriteRequest, sink as make_sink,
    source as make_source,
};
use crate::error::Error;

const COLUMNS: &[(&str, DataType)] = &[("a", DataType::Int32), ("b", DataType::Utf8)];

struct Case {
    dir: TempDir,
    table: Table,
}

impl Case {
    fn new(
        files: &[(&str, &[u8])],
        columns: &[(&str, DataType)],
        options: &[(&str, &str)],
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let case = Self {
            table: table(columns, options),
            dir,
        };
        for (name, content) in files {
            case.write(name, content);
        }
        let mut case = case;
        case.table
            .with
            .insert("connector".into(), "filesystem".into());
        case.table
            .with
            .entry("format".into())
            .or_insert("json".into());
        case.table
            .with
            .insert("path".into(), case.dir.path().display().to_string());
        case
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.dir.path().join(name), content).unwrap();
    }

    fn request(&self) -> ReadRequest {
        request(
            &self.table,
            &(0..self.table.columns.len()).collect::<Vec<_>>(),
        )
    }

    async fn reader(&self, request: ReadRequest) -> Box<dyn SourceReader> {
        make_source(&self.table)
            .unwrap()
            .reader(request)
            .await
            .unwrap()
    }

    async fn rows(&self) -> Vec<String> {
        read_all(&mut *self.reader(self.request()).await).await.0
    }

    async fn error(&self) -> Error {
        let made = make_source(&self.table)
            .unwrap()
            .reader(self.request())
            .await;
        let mut reader = match made {
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

    fn name(&self, file: &str) -> String {
        self.dir.path().join(file).display().to_string()
    }
}

#[tokio::test]
async fn all_files_of_a_folder_in_order() {
    let case = Case::new(
        &[
            ("b.json", b"{\"a\":3,\"b\":\"z\"}\n\n"),
            ("a.json", b"\xef\xbb\xbf{\"a\":1,\"b\":\"x\"}\r\n{\"a\":2}"),
            ("c.json", b""),
            ("_done", b"no"),
        ],
        COLUMNS,
        &[],
    );
    let request = case.request();
    let metrics = Arc::clone(&request.metrics);
    let (rows, events) = read_all(&mut *case.reader(request).await).await;
    assert_eq!(rows, ["1|x", "2|", "3|z"]);
    let [a, b, c] = ["a.json", "b.json", "c.json"].map(|n| case.name(n));
    assert_eq!(
        events,
        [
            format!("+{a},{b},{c}"),
            format!("-{a}"),
            format!("-{b}"),
            format!("-{c}")
        ]
    );
    let total = metrics.total.load(Ordering::Relaxed);
    assert_eq!(total, 44);
    assert_eq!(metrics.done.load(Ordering::Relaxed), total - 3);
}

#[tokio::test]
async fn only_the_columns_asked_for_and_what_is_about_the_file() {
    let mut columns = COLUMNS.to_vec();
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    columns.extend([
        ("@file.name", DataType::Utf8),
        ("@file.size", DataType::Int64),
        ("@file.modification-time", time),
    ]);
    let case = Case::new(
        &[(
            "x.json",
            b"{\"a\":1,\"b\":\"x\"}\n{\"a\":\"no number\",\"b\":\"y\"}",
        )],
        &columns,
        &[],
    );
    let (rows, _) = read_all(&mut *case.reader(request(&case.table, &[1, 2, 3])).await).await;
    assert_eq!(rows, ["x|x.json|41", "y|x.json|41"]);
    let none = request(&case.table, &[]);
    let mut reader = case.reader(none).await;
    let mut count = 0;
    while let event = next(&mut *reader).await
        && !matches!(event, SourceEvent::End)
    {
        if let SourceEvent::Rows { rows, .. } = event {
            count += rows.num_rows();
        }
    }
    assert_eq!(count, 2);
}

#[tokio::test]
async fn records_longer_than_the_buffer() {
    let long = "x".repeat(5_000_000);
    let mut text = String::new();
    for i in 0..5 {
        text.push_str(&format!("{{\"a\":{i},\"b\":\"short\"}}\n"));
    }
    text.push_str(&format!("{{\"a\":5,\"b\":\"{long}\"}}\n"));
    for i in 6..30_000 {
        text.push_str(&format!("{{\"a\":{i},\"b\":\"after\"}}\n"));
    }
    let case = Case::new(
        &[("x.json", text.as_bytes())],
        &[("a", DataType::Int32)],
        &[],
    );
    let rows = case.rows().await;
    assert_eq!(rows.len(), 30_000);
    assert!(
        rows.iter()
            .enumerate()
            .all(|(i, row)| *row == i.to_string())
    );
}

/// A reader that starts where another stopped gives the rest of `whole`.
async fn goes_on_after_any_stop(case: &Case, whole: &[String]) {
    for stop in [0, 1, 2, 3, 4, 5, 6] {
        let mut reader = case.reader(case.request()).await;
        let mut rows = Vec::new();
        for _ in 0..stop {
            if let SourceEvent::Rows { rows: batch, .. } = next(&mut *reader).await {
                rows.extend(crate::connectors::testing::texts(&batch));
            }
        }
        let mut request = case.request();
        request.restored = reader
            .positions()
            .into_iter()
            .map(|(name, p)| (name.to_string(), p))
            .collect();
        rows.extend(read_all(&mut *case.reader(request).await).await.0);
        assert_eq!(rows, whole, "stopped after {stop}");
    }
}

#[tokio::test]
async fn a_reader_goes_on_behind_a_first_line_that_names_the_columns() {
    let lines = |header: &str, row: fn(usize) -> String| {
        let rows: String = (0..2500).map(row).collect();
        format!("\u{feff}{header}\r\n{rows}")
    };
    let first = lines("b,a,c", |i| format!("x{i},{i},-\n"));
    let second = lines("a", |i| format!("{i}\n"));
    let case = Case::new(
        &[("1.csv", first.as_bytes()), ("2.csv", second.as_bytes())],
        COLUMNS,
        &[("format", "csv"), ("csv.header", "true")],
    );
    let whole = case.rows().await;
    assert_eq!(whole.len(), 5000);
    assert!(
        whole[0].contains("x0") && !whole[2500].contains('x'),
        "{whole:?}"
    );
    goes_on_after_any_stop(&case, &whole).await;
}

#[tokio::test]
async fn a_reader_goes_on_where_another_stopped() {
    let lines: String = (0..2500)
        .map(|i| format!("{{\"a\":{i},\"b\":\"{}\"}}\n\n", "y".repeat(i % 7)))
        .collect();
    let case = Case::new(
        &[("1.json", lines.as_bytes()), ("2.json", lines.as_bytes())],
        COLUMNS,
        &[],
    );
    let whole = case.rows().await;
    goes_on_after_any_stop(&case, &whole).await;
}

#[tokio::test]
async fn readers_share_out_the_files() {
    let files: Vec<(String, String)> = (0..5)
        .map(|i| (format!("{i}.json"), format!("{{\"a\":{i}}}\n")))
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(n, c)| (n.as_str(), c.as_bytes()))
        .collect();
    let case = Case::new(&files, &[("a", DataType::Int32)], &[]);
    let source = make_source(&case.table).unwrap();
    let mut all = Vec::new();
    for instance in 0..3 {
        let request = ReadRequest {
            instance,
            parallelism: 3,
            ..case.request()
        };
        let (rows, _) = read_all(&mut *source.reader(request).await.unwrap()).await;
        all.push(rows);
    }
    assert_eq!(all, [vec!["0", "3"], vec!["1", "4"], vec!["2"]]);
}

#[tokio::test]
async fn a_watched_folder_gives_new_files() {
    let case = Case::new(
        &[("1.json", b"{\"a\":1}")],
        &[("a", DataType::Int32)],
        &[("source.monitor-interval", "20 ms")],
    );
    assert!(!make_source(&case.table).unwrap().is_bounded());
    let mut reader = case.reader(case.request()).await;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(next(&mut *reader).await);
    }
    assert!(matches!(
        &seen[..],
        [
            SourceEvent::Assigned(_),
            SourceEvent::Rows { .. },
            SourceEvent::PartitionEnd(_),
            SourceEvent::Quiet
        ]
    ));
    // Dropping a call that waits must lose nothing.
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(50), reader.next())
            .await
            .is_err()
    );
    case.write("2.json", b"{\"a\":2}");
    assert!(
        matches!(next(&mut *reader).await, SourceEvent::Assigned(p) if *p[0] == *case.name("2.json"))
    );
    assert!(matches!(next(&mut *reader).await, SourceEvent::Rows { .. }));
    assert_eq!(reader.positions().len(), 2);
}

#[tokio::test]
async fn mistakes_name_the_place() {
    let case = Case::new(&[("x.json", b"{\"a\":1}\n\n{\"a\":\"?\"}\n")], COLUMNS, &[]);
    assert!(
        case.error()
            .await
            .message
            .starts_with(&format!("{}:3: field 'a': ", case.name("x.json")))
    );
    let case = Case::new(&[("x.json.gz", b"\x1f\x8b")], COLUMNS, &[]);
    assert!(
        case.error()
            .await
            .message
            .ends_with("x.json.gz: compressed files cannot be read yet")
    );
    let mut case = Case::new(&[], COLUMNS, &[]);
    assert_eq!(case.rows().await, Vec::<String>::new());
    case.table.with.insert("path".into(), case.name("missing"));
    assert_eq!(
        case.error().await.message,
        format!("{}: there is no such file or folder", case.name("missing"))
    );
    case.table.with.insert("format".into(), "avro".into());
    assert!(
        make_source(&case.table).err().unwrap()[0]
            .help
            .as_ref()
            .unwrap()
            .contains("csv, debezium-json, json, raw")
    );
    case.table.with.insert("format".into(), "json".into());
    case.table.with.insert("paht".into(), "x".into());
    assert_eq!(
        make_source(&case.table).err().unwrap()[0].help.as_deref(),
        Some("did you mean 'path'?")
    );
}

#[tokio::test]
async fn any_table_can_be_read_from_a_file() {
    let case = Case::new(&[("x.csv", b"1,x\n2,y\n")], COLUMNS, &[]);
    let path = case.dir.path().join("x.csv");
    let mut columns = COLUMNS.to_vec();
    columns.push(("@offset", DataType::Int64));
    let kafka = table(&columns, &[("connector", "kafka"), ("value.format", "csv")]);
    let source = file_source(&path, &kafka, None).unwrap();
    let (rows, _) = read_all(&mut *source.reader(request(&kafka, &[0, 1, 2])).await.unwrap()).await;
    assert_eq!(rows, ["1|x|", "2|y|"]);
    let datagen = table(COLUMNS, &[("connector", "datagen")]);
    case.write("x.json", b"{\"a\":7}");
    let source = file_source(case.dir.path().join("x.json"), &datagen, None).unwrap();
    assert_eq!(
        read_all(&mut *source.reader(request(&datagen, &[0])).await.unwrap())
            .await
            .0,
        ["7"]
    );
}

#[tokio::test]
async fn what_is_written_can_be_read() {
    let mut case = Case::new(&[], COLUMNS, &[("format", "csv")]);
    let target = case.dir.path().join("out/deep");
    case.table
        .with
        .insert("path".into(), format!("file://{}", target.display()));
    let rows = RecordBatch::try_new(
        case.table.sink_schema(),
        vec![
            Arc::new(Int32Array::from(vec![1, 2])),
            Arc::new(StringArray::from(vec![Some("a,\"b\"\nc"), Some("ü")])),
        ],
    )
    .unwrap();
    let sink = make_sink(&case.table).unwrap();
    for instance in 0..2 {
        let mut writer = sink
            .writer(write_request(instance, &case.table))
            .await
            .unwrap();
        writer.write(&Batch::append(rows.clone())).await.unwrap();
        writer.write(&Batch::append(rows.clone())).await.unwrap();
        writer.close().await.unwrap();
    }
    let mut unused = sink.writer(write_request(2, &case.table)).await.unwrap();
    unused.close().await.unwrap();
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 2);
    let read = case.rows().await;
    assert_eq!(read, ["1|a,\"b\"\nc", "2|ü"].repeat(4));
    for (key, value) in [
        ("auto-compaction", "true"),
        ("compaction.file-size", "1MB"),
        ("sink.shuffle-by-partition.enable", "true"),
        ("sink.partition-commit.policy.class", "a.B"),
        (
            "sink.partition-commit.policy.kind",
            "metastore,success-file",
        ),
        ("sink.partition-commit.policy.kind", "custom"),
        ("sink.partition-commit.watermark-time-zone", "Asia/Tokyo"),
        ("partition.time-extractor.kind", "custom"),
        ("sink.rolling-policy.file-size", "1 parsec"),
        ("sink.rolling-policy.check-interval", "0 s"),
    ] {
        let mut table = case.table.clone();
        table.with.insert(key.into(), value.into());
        assert_eq!(
            make_sink(&table).err().unwrap()[0].key.as_deref(),
            Some(key)
        );
        assert!(make_source(&table).is_ok());
    }
    for (key, value) in [
        ("auto-compaction", "false"),
        ("sink.rolling-policy.file-size", "1MB"),
        ("sink.rolling-policy.rollover-interval", "1 h"),
        ("sink.rolling-policy.inactivity-interval", "10 s"),
        ("sink.partition-commit.policy.kind", "success-file"),
        ("sink.partition-commit.delay", "1 h"),
    ] {
        let mut table = case.table.clone();
        table.with.insert(key.into(), value.into());
        assert!(make_sink(&table).is_ok() && make_source(&table).is_ok());
    }
}

fn write_request(instance: usize, table: &Table) -> WriteRequest {
    write_request_of(instance, table, &JobContext::new("test", None))
}

fn write_request_of(instance: usize, table: &Table, job: &Arc<JobContext>) -> WriteRequest {
    WriteRequest {
        instance,
        schema: table.sink_schema(),
        key: None,
        updating: false,
        job: Arc::clone(job),
    }
}

/// A job that has checkpoints.
fn job(name: &str) -> Arc<JobContext> {
    JobContext::new(name, Some(std::time::Duration::from_secs(1)))
}

/// Rows of `COLUMNS`.
fn batch(rows: &[(i32, Option<&str>)]) -> Batch {
    let (a, b): (Vec<i32>, Vec<Option<&str>>) = rows.iter().copied().unzip();
    let rows = RecordBatch::try_from_iter_with_nullable([
        (
            "a",
            Arc::new(Int32Array::from(a)) as arrow::array::ArrayRef,
            true,
        ),
        ("b", Arc::new(StringArray::from(b)), true),
    ]);
    Batch::append(rows.unwrap())
}

impl Case {
    /// All files there are, hidden ones too, in order.
    fn files(&self) -> Vec<String> {
        fn add(root: &std::path::Path, folder: &std::path::Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    add(root, &path, found);
                } else {
                    found.push(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let mut found = Vec::new();
        add(self.dir.path(), self.dir.path(), &mut found);
        found.sort();
        found
    }

    /// Those of them that readers see.
    fn visible(&self) -> Vec<String> {
        let hidden = |file: &String| file.split('/').any(|part| part.starts_with(['.', '_']));
        self.files()
            .into_iter()
            .filter(|file| !hidden(file))
            .collect()
    }
}
