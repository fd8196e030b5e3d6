//! Parquet through the connector: projection, positions, several files and what is wrong with them.

use arrow::array::{ArrayRef, Int64Array};

use super::*;

/// A Parquet file of one or two columns, several row groups long.
fn parquet(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    let rows = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(700))
        .build();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    bytes
}

fn numbers(range: std::ops::Range<i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(range))
}

const PARQUET: (&str, &str) = ("format", "parquet");

#[tokio::test]
async fn a_reader_goes_on_at_its_row() {
    let one = parquet(&[
        ("a", numbers(0..2500)),
        (
            "b",
            Arc::new(StringArray::from_iter_values(
                (0..2500).map(|i| "y".repeat(i % 5)),
            )),
        ),
    ]);
    let two = parquet(&[("a", numbers(3000..3001))]);
    let case = Case::new(
        &[("1", &one), ("2", &two), ("_3", b"no")],
        COLUMNS,
        &[PARQUET],
    );
    let request = case.request();
    let metrics = Arc::clone(&request.metrics);
    let whole = read_all(&mut *case.reader(request).await).await.0;
    assert_eq!(whole.len(), 2501);
    assert_eq!(whole[2500], "3000|");
    assert_eq!(
        metrics.total.load(Ordering::Relaxed),
        metrics.done.load(Ordering::Relaxed)
    );
    for stop in 0..7 {
        let mut reader = case
            .reader(ReadRequest {
                batch_rows: 999,
                ..case.request()
            })
            .await;
        let mut rows = Vec::new();
        for _ in 0..stop {
            if let SourceEvent::Rows { rows: batch, .. } = next(&mut *reader).await {
                assert!(batch.num_rows() <= 999);
                rows.extend(crate::connectors::testing::texts(&batch));
            }
        }
        let mut request = case.request();
        let positions = reader.positions();
        if stop == 2 {
            assert_eq!(positions[0].1, "999");
        }
        request.restored = positions
            .into_iter()
            .map(|(n, p)| (n.to_string(), p))
            .collect();
        let metrics = Arc::clone(&request.metrics);
        rows.extend(read_all(&mut *case.reader(request).await).await.0);
        assert_eq!(rows, whole);
        assert_eq!(
            metrics.total.load(Ordering::Relaxed),
            metrics.done.load(Ordering::Relaxed)
        );
    }
}

#[tokio::test]
async fn columns_by_name_with_those_of_path_and_file() {
    let file = parquet(&[
        ("x", numbers(0..2)),
        ("n", Arc::new(Int64Array::from(vec![7, 8]))),
    ]);
    let mut case = Case::new(
        &[],
        &[
            ("n", DataType::Int64),
            ("gone", DataType::Utf8),
            ("dt", DataType::Date32),
            ("@file.name", DataType::Utf8),
        ],
        &[PARQUET],
    );
    case.table.partitioned_by = vec![2];
    std::fs::create_dir(case.name("dt=2026-01-02")).unwrap();
    case.write("dt=2026-01-02/f", &file);
    assert_eq!(case.rows().await, ["7||2026-01-02|f", "8||2026-01-02|f"]);
    let (rows, _) = read_all(&mut *case.reader(request(&case.table, &[2])).await).await;
    assert_eq!(rows, ["2026-01-02", "2026-01-02"]);
    let none = request(&case.table, &[]);
    assert_eq!(read_all(&mut *case.reader(none).await).await.0.len(), 2);
}

#[tokio::test]
async fn mistakes_name_file_and_column() {
    let file = parquet(&[("a", Arc::new(Int64Array::from(vec![7])))]);
    let case = Case::new(&[("f", &file)], COLUMNS, &[PARQUET]);
    assert_eq!(
        case.error().await.message,
        format!(
            "{}: column 'a': the file has BIGINT, which does not fit the declared INT",
            case.name("f")
        )
    );
    let broken = Case::new(&[("f", b"PAR1")], COLUMNS, &[PARQUET]);
    let message = broken.error().await.message;
    assert!(message.starts_with(&format!("{}: no whole Parquet file", broken.name("f"))));
    let mut cut = parquet(&[("a", numbers(0..2000))]);
    cut.iter_mut()
        .skip(10)
        .take(100)
        .for_each(|byte| *byte = 0xff);
    let cut = Case::new(&[("f", &cut)], COLUMNS, &[PARQUET]);
    let error = cut.error().await;
    assert!(
        error.message.starts_with(&format!("{}: ", cut.name("f"))),
        "{}",
        error.message
    );
    let kafka = table(
        COLUMNS,
        &[
            ("connector", "kafka"),
            ("topic", "t"),
            PARQUET,
            ("properties.bootstrap.servers", "x"),
        ],
    );
    let refused = make_source(&kafka).err().unwrap();
    assert!(
        refused[0]
            .message
            .contains("'parquet' is a format of whole files"),
        "{}",
        refused[0].message
    );
}

#[tokio::test]
async fn large_files_are_rolled_by_what_they_hold() {
    let size = ("sink.rolling-policy.file-size", "20 kb");
    let case = Case::new(
        &[],
        COLUMNS,
        &[PARQUET, size, ("parquet.compression", "zstd")],
    );
    let sink = make_sink(&case.table).unwrap();
    let mut writer = sink.writer(write_request(0, &case.table)).await.unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let texts: Vec<String> = (0..30_000).map(|_| random.u64(..).to_string()).collect();
    let rows: Vec<(i32, Option<&str>)> = texts
        .iter()
        .zip(0..)
        .map(|(t, i)| (i, Some(t.as_str())))
        .collect();
    for rows in rows.chunks(1000) {
        writer.write(&batch(rows)).await.unwrap();
    }
    writer.close().await.unwrap();
    assert!(case.visible().len() > 5, "{:?}", case.visible());
    assert_eq!(case.files(), case.visible());
    assert!(case.visible()[0].ends_with(".parquet"));
    let mut read = case.rows().await;
    read.sort_by_key(|row| row.split('|').next().unwrap().parse::<i32>().unwrap());
    let expected: Vec<String> = rows
        .iter()
        .map(|(i, t)| format!("{i}|{}", t.unwrap()))
        .collect();
    assert_eq!(read, expected);
}
