//! Partitions: folders written as Flink names them, and their values read back.

use arrow::array::*;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};

use super::*;

/// A table of one column `n`, partitioned by one of each type that can be in a path.
fn typed() -> Case {
    let time = |unit, zone: Option<&str>| DataType::Timestamp(unit, zone.map(Into::into));
    let mut case = Case::new(
        &[],
        &[
            ("s", DataType::Utf8),
            ("n", DataType::Int32),
            ("d", DataType::Date32),
            ("t", DataType::Time32(TimeUnit::Second)),
            ("ts3", time(TimeUnit::Millisecond, None)),
            ("ts9", time(TimeUnit::Nanosecond, None)),
            ("ltz", time(TimeUnit::Millisecond, Some("UTC"))),
            ("db", DataType::Float64),
            ("fl", DataType::Float32),
            ("bo", DataType::Boolean),
            ("de", DataType::Decimal128(10, 2)),
            ("ti", DataType::Int8),
        ],
        &[("format", "csv")],
    );
    case.table.partitioned_by = vec![0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    case
}

#[tokio::test]
async fn every_type_there_and_back() {
    let case = typed();
    let decimals = Decimal128Array::from(vec![Some(150), Some(0), Some(-100), None]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![
            Some("a b%c/d:e=f?\"'{}[]^*#\\ü ~|\u{1}"),
            Some("__DEFAULT_PARTITION_"),
            Some(".."),
            None,
        ])),
        Arc::new(Int32Array::from(vec![1, 2, 3, 4])),
        Arc::new(Date32Array::from(vec![Some(20_455), Some(-1), None, None])),
        Arc::new(Time32SecondArray::from(vec![
            Some(11_045),
            Some(0),
            None,
            None,
        ])),
        Arc::new(TimestampMillisecondArray::from(vec![
            Some(1_767_323_045_600),
            Some(-86_400_000),
            Some(0),
            None,
        ])),
        Arc::new(TimestampNanosecondArray::from(vec![
            Some(1_767_323_045_123_456_789),
            Some(100_000_000),
            Some(1_000),
            None,
        ])),
        Arc::new(
            TimestampMillisecondArray::from(vec![Some(1_234_567_890_123), Some(0), Some(1), None])
                .with_timezone("UTC"),
        ),
        Arc::new(Float64Array::from(vec![
            Some(1.5e10),
            Some(0.001),
            Some(f64::NAN),
            None,
        ])),
        Arc::new(Float32Array::from(vec![
            Some(0.1),
            Some(1e-9),
            Some(3.0),
            None,
        ])),
        Arc::new(BooleanArray::from(vec![
            Some(true),
            Some(false),
            None,
            None,
        ])),
        Arc::new(decimals.with_precision_and_scale(10, 2).unwrap()),
        Arc::new(Int8Array::from(vec![Some(7), Some(-7), Some(0), None])),
    ];
    let rows = RecordBatch::try_new(case.table.sink_schema(), columns).unwrap();
    let sink = make_sink(&case.table).unwrap();
    let mut writer = sink.writer(write_request(0, &case.table)).await.unwrap();
    writer.write(&Batch::append(rows.clone())).await.unwrap();
    writer.close().await.unwrap();
    // As Flink 2.3 names them, save for DATE (Flink: 20455) and TIME (Flink: 11045000), which it does not read itself.
    let folders: Vec<String> = case
        .files()
        .iter()
        .map(|file| file.rsplit_once('/').unwrap().0.to_string())
        .collect();
    let default = "__DEFAULT_PARTITION__";
    assert_eq!(
        folders,
        [
            format!("s=../d={default}/t={default}/ts3=1970-01-01T00%3A00/ts9=1970-01-01T00%3A00%3A00.000001/ltz=1970-01-01T00%3A00%3A00.001/db=NaN/fl=3.0/bo={default}/de=-1.00/ti=0"),
            "s=__DEFAULT_PARTITION_/d=1969-12-31/t=00%3A00%3A00/ts3=1969-12-31T00%3A00/ts9=1970-01-01T00%3A00%3A00.100/ltz=1970-01-01T00%3A00/db=0.001/fl=1.0E-9/bo=false/de=0.00/ti=-7".to_string(),
            format!("s={default}/d={default}/t={default}/ts3={default}/ts9={default}/ltz={default}/db={default}/fl={default}/bo={default}/de={default}/ti={default}"),
            "s=a b%25c%2Fd%3Ae%3Df%3F%22%27%7B%7D%5B%5D%5E%2A%23%5Cü ~|%01/d=2026-01-02/t=03%3A04%3A05/ts3=2026-01-02T03%3A04%3A05.600/ts9=2026-01-02T03%3A04%3A05.123456789/ltz=2009-02-13T23%3A31%3A30.123/db=1.5E10/fl=0.1/bo=true/de=1.50/ti=7".to_string(),
        ]
    );
    let mut reader = case.reader(case.request()).await;
    let mut batches = Vec::new();
    loop {
        match next(&mut *reader).await {
            SourceEvent::Rows { rows, .. } => batches.push(rows),
            SourceEvent::End => break,
            _ => {}
        }
    }
    let read = concat_batches(&rows.schema(), &batches).unwrap();
    let numbers = read.column(1).as_primitive::<arrow::datatypes::Int32Type>();
    let mut order: Vec<u32> = (0..4).collect();
    order.sort_by_key(|i| numbers.value(*i as usize));
    let read = arrow::compute::take_record_batch(&read, &UInt32Array::from(order)).unwrap();
    assert_eq!(
        crate::connectors::testing::texts(&read),
        crate::connectors::testing::texts(&rows)
    );
}

#[tokio::test]
async fn rows_go_to_the_folder_of_their_values_and_few_handles_are_open() {
    let mut case = Case::new(&[], COLUMNS, &[("format", "json")]);
    case.table.partitioned_by = vec![1];
    let sink = make_sink(&case.table).unwrap();
    let mut writer = sink.writer(write_request(0, &case.table)).await.unwrap();
    let handles = || {
        let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
        let open = open
            .flatten()
            .filter_map(|fd| std::fs::read_link(fd.path()).ok());
        open.filter(|path| path.starts_with(case.dir.path()))
            .count()
    };
    // More partitions than handles may be open, and rows of each come again and again.
    for round in 0..3 {
        let names: Vec<String> = (0..100).map(|i| format!("p{i:03}")).collect();
        let rows: Vec<(i32, Option<&str>)> = (0..200)
            .map(|i| (round * 1000 + i, Some(names[i as usize % 100].as_str())))
            .collect();
        writer.write(&batch(&rows)).await.unwrap();
        assert!(handles() <= 64, "{}", handles());
        assert_eq!(case.files().len(), 100);
    }
    writer.close().await.unwrap();
    assert_eq!(case.visible().len(), 100);
    let rows = case.rows().await;
    assert_eq!(rows.len(), 600);
    for row in &rows {
        let (number, name) = row.split_once('|').unwrap();
        let number: i32 = number.parse().unwrap();
        assert_eq!(name, format!("p{:03}", number % 1000 % 100));
    }
    let first = case.visible()[0].clone();
    assert!(first.starts_with("b=p000/part-") && first.ends_with(".json"));
    let content = std::fs::read_to_string(case.name(&first)).unwrap();
    assert_eq!(content.lines().next(), Some("{\"a\":0}"));
}

#[tokio::test]
async fn more_partitions_than_files_may_be_begun() {
    let mut case = Case::new(&[], COLUMNS, &[("format", "parquet")]);
    case.table.partitioned_by = vec![1];
    let sink = make_sink(&case.table).unwrap();
    let mut writer = sink.writer(write_request(0, &case.table)).await.unwrap();
    let names: Vec<String> = (0..260).map(|i| i.to_string()).collect();
    let rows: Vec<(i32, Option<&str>)> = (0..520)
        .map(|i| (i, Some(names[i as usize % 260].as_str())))
        .collect();
    for rows in rows.chunks(260) {
        writer.write(&batch(rows)).await.unwrap();
        assert_eq!(case.files().len() - case.visible().len(), 256);
    }
    writer.close().await.unwrap();
    assert_eq!(case.rows().await.len(), 520);
}

#[tokio::test]
async fn values_come_from_the_path() {
    let mut case = Case::new(
        &[("stray.json", b"{\"a\":9}"), ("_SUCCESS", b"")],
        &[
            ("a", DataType::Int32),
            ("b", DataType::Int32),
            ("c", DataType::Utf8),
        ],
        &[("partition.default-name", "none")],
    );
    case.table.partitioned_by = vec![2, 1];
    for (folder, content) in [
        ("c=%FC%41%/b=none", "{\"a\":1,\"b\":7}"),
        ("c=none/b=-5/deeper", "{\"a\":2}"),
        ("x=1/c=y/b=6", "{\"a\":3}"),
    ] {
        std::fs::create_dir_all(case.dir.path().join(folder)).unwrap();
        case.write(&format!("{folder}/f.json"), content.as_bytes());
    }
    // Files above the folders of the partitions are passed over, as Flink does.
    assert_eq!(case.rows().await, ["1||üA%", "2|-5|", "3|6|y"]);
    let request = request(&case.table, &[2]);
    let (rows, _) = read_all(&mut *case.reader(request).await).await;
    assert_eq!(rows, ["üA%", "", "y"]);
    for (folder, message) in [
        ("c=1/b=x", "'b=x' is no value of the column's type"),
        ("c=1/d=2", "no folder of its path is 'b=...'"),
        (
            "c=1/b=2147483648",
            "'b=2147483648' is no value of the column's type",
        ),
    ] {
        let path = case.dir.path().join(folder);
        std::fs::create_dir_all(&path).unwrap();
        case.write(&format!("{folder}/f.json"), b"{\"a\":1}");
        let error = case.error().await;
        let place = case.name(&format!("{folder}/f.json"));
        assert_eq!(error.message, format!("{place}: {message}"));
        std::fs::remove_dir_all(path).unwrap();
    }
    // NULL is no value of a column that must have one.
    case.table.columns[1].field = case.table.columns[1].field.clone().with_nullable(false);
    assert!(
        case.error()
            .await
            .message
            .ends_with("'b=none' is no value of the column's type")
    );
    // A file named by itself, within its partition.
    case.table
        .with
        .insert("path".into(), case.name("x=1/c=y/b=6/f.json"));
    assert_eq!(case.rows().await, ["3|6|y"]);
}

#[test]
fn what_cannot_be_a_partition_is_refused() {
    let columns = [
        ("a", DataType::Int32),
        ("_b", DataType::Int32),
        ("c", DataType::Binary),
        ("@file.name", DataType::Utf8),
    ];
    let mut case = Case::new(&[], &columns, &[("format", "raw")]);
    for (partitioned, expected) in [
        (vec![1], "PARTITIONED BY column '_b' begins with '.' or '_'"),
        (
            vec![2],
            "PARTITIONED BY column 'c' has a type that cannot be in a path",
        ),
        (vec![3], "PARTITIONED BY column '@file.name' is not stored"),
        (vec![0, 0], "PARTITIONED BY column 'a' is named twice"),
    ] {
        case.table.partitioned_by = partitioned;
        for message in [
            make_source(&case.table).err().unwrap()[0].message.clone(),
            make_sink(&case.table).err().unwrap()[0].message.clone(),
        ] {
            assert!(message.starts_with(expected), "{message}");
        }
    }
    let mut case = Case::new(&[], COLUMNS, &[]);
    case.table.partitioned_by = vec![0, 1];
    let all = make_sink(&case.table).err().unwrap();
    assert!(
        all[0]
            .message
            .ends_with("is partitioned by all of its columns")
    );
}

#[tokio::test]
async fn a_file_given_for_a_table_has_all_of_its_columns() {
    let mut case = Case::new(&[("x.json", b"{\"a\":1,\"b\":\"x\"}")], COLUMNS, &[]);
    case.table.partitioned_by = vec![1];
    let source = file_source(case.name("x.json"), &case.table, None).unwrap();
    let request = request(&case.table, &[0, 1]);
    let (rows, _) = read_all(&mut *source.reader(request).await.unwrap()).await;
    assert_eq!(rows, ["1|x"]);
    let schema = Schema::new(vec![Field::new("b", DataType::Utf8, true)]);
    let rows = RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(StringArray::from(vec!["y"]))],
    );
    let file = std::fs::File::create(case.name("y.parquet")).unwrap();
    let rows = rows.unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let source = file_source(case.name("y.parquet"), &case.table, None).unwrap();
    let request = crate::connectors::testing::request(&case.table, &[0, 1]);
    let (rows, _) = read_all(&mut *source.reader(request).await.unwrap()).await;
    assert_eq!(rows, ["|y"]);
}
