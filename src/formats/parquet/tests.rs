//! Tests of the parquet format: every type there and back, files that Flink wrote, columns that do not fit.

use std::io::{Seek, SeekFrom};
use std::sync::Mutex;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat_batches;
use arrow::util::pretty::pretty_format_batches;

use super::*;

fn options(pairs: &[(&str, &str)]) -> Options {
    let pairs = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string()));
    Options::new(pairs.collect())
}

fn made(schema: &SchemaRef, pairs: &[(&str, &str)]) -> Arc<dyn ColumnarFormat> {
    format("parquet.", &options(pairs), Arc::clone(schema)).unwrap()
}

fn refused(schema: &SchemaRef, pairs: &[(&str, &str)]) -> OptionError {
    let made = format("parquet.", &options(pairs), Arc::clone(schema));
    made.err().unwrap()
}

fn write(format: &dyn ColumnarFormat, batches: &[RecordBatch]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    let mut writer = format.writer(Box::new(file.try_clone().unwrap())).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    assert!(writer.size() > 0);
    writer.finish().unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

fn rows(
    format: &dyn ColumnarFormat,
    file: &File,
    projection: &[usize],
    first: u64,
) -> Vec<RecordBatch> {
    let file = file.try_clone().unwrap();
    let mut reader = format.reader(file, projection, first, 100).unwrap();
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_rows().unwrap() {
        assert!(batch.num_rows() <= 100);
        batches.push(batch);
    }
    batches
}

fn fault_text(fault: FileFault) -> String {
    match fault {
        FileFault::Io(e) => e.to_string(),
        FileFault::Content { column, reason } => {
            format!("{}: {reason}", column.unwrap_or_default())
        }
    }
}

fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

fn map_type(value: DataType) -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", value, true),
    ]);
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entries), false)),
        false,
    )
}

fn list_type(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// A row with a value of every type, and one of NULLs.
fn everything() -> RecordBatch {
    let row_fields = Fields::from(vec![
        Field::new("x", DataType::Int32, true),
        Field::new("when", DataType::Timestamp(TimeUnit::Second, None), true),
    ]);
    let list = ListArray::new(
        Arc::new(Field::new("item", DataType::Int32, true)),
        OffsetBuffer::from_lengths([3, 0]),
        Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])),
        Some(vec![true, false].into()),
    );
    let DataType::Map(entries, _) = map_type(DataType::Float64) else {
        unreachable!()
    };
    let DataType::Struct(parts) = entries.data_type() else {
        unreachable!()
    };
    let map = MapArray::new(
        Arc::clone(&entries),
        OffsetBuffer::from_lengths([2, 0]),
        StructArray::new(
            parts.clone(),
            vec![
                Arc::new(StringArray::from(vec!["a", "b"])),
                Arc::new(Float64Array::from(vec![Some(1.5), None])),
            ],
            None,
        ),
        Some(vec![true, false].into()),
        false,
    );
    let row = StructArray::new(
        row_fields,
        vec![
            Arc::new(Int32Array::from(vec![Some(7), None])),
            Arc::new(TimestampSecondArray::from(vec![Some(-1), None])),
        ],
        Some(vec![true, false].into()),
    );
    let decimal = |value, precision, scale| {
        let array = Decimal128Array::from(vec![Some(value), None]);
        array.with_precision_and_scale(precision, scale).unwrap()
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "boolean",
            Arc::new(BooleanArray::from(vec![Some(true), None])),
        ),
        ("tinyint", Arc::new(Int8Array::from(vec![Some(-128), None]))),
        (
            "smallint",
            Arc::new(Int16Array::from(vec![Some(-32768), None])),
        ),
        (
            "int",
            Arc::new(Int32Array::from(vec![Some(i32::MIN), None])),
        ),
        (
            "bigint",
            Arc::new(Int64Array::from(vec![Some(i64::MAX), None])),
        ),
        (
            "float",
            Arc::new(Float32Array::from(vec![Some(f32::NAN), None])),
        ),
        (
            "double",
            Arc::new(Float64Array::from(vec![Some(-0.0), None])),
        ),
        ("small_decimal", Arc::new(decimal(-15, 5, 1))),
        ("decimal", Arc::new(decimal(123_456_789_012, 18, 2))),
        ("big_decimal", Arc::new(decimal(10_i128.pow(37), 38, 5))),
        (
            "string",
            Arc::new(StringArray::from(vec![Some("ü\n"), None])),
        ),
        (
            "bytes",
            Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None])),
        ),
        ("date", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        (
            "time0",
            Arc::new(Time32SecondArray::from(vec![Some(86_399), None])),
        ),
        (
            "time3",
            Arc::new(Time32MillisecondArray::from(vec![Some(1), None])),
        ),
        (
            "ts0",
            Arc::new(TimestampSecondArray::from(vec![Some(-1), None])),
        ),
        (
            "ts3",
            Arc::new(TimestampMillisecondArray::from(vec![Some(-1), None])),
        ),
        (
            "ts6",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(253_402_300_799_999_999),
                None,
            ])),
        ),
        (
            "ts9",
            Arc::new(TimestampNanosecondArray::from(vec![Some(1), None])),
        ),
        (
            "ltz",
            Arc::new(TimestampMillisecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
        ),
        ("array", Arc::new(list)),
        ("map", Arc::new(map)),
        ("row", Arc::new(row)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

#[test]
fn every_type_comes_back() {
    let batch = everything();
    for compression in ["SNAPPY", "zstd", "UNCOMPRESSED"] {
        let format = made(&batch.schema(), &[("parquet.compression", compression)]);
        let file = write(&*format, std::slice::from_ref(&batch));
        let all: Vec<usize> = (0..batch.num_columns()).collect();
        let read = rows(&*format, &file, &all, 0);
        let text = |batches: &[RecordBatch]| pretty_format_batches(batches).unwrap().to_string();
        assert_eq!(read[0].schema(), batch.schema());
        assert_eq!(text(&read), text(std::slice::from_ref(&batch)));
    }
}

#[test]
fn the_unit_of_timestamps_is_a_choice() {
    let batch = everything().project(&[16, 18]).unwrap();
    let micros = made(
        &batch.schema(),
        &[("parquet.timestamp.time.unit", "micros")],
    );
    let file = write(&*micros, &[batch]);
    let read = rows(&*micros, &file, &[0, 1], 0);
    assert_eq!(
        read[0]
            .column(0)
            .as_primitive::<arrow::datatypes::TimestampMillisecondType>()
            .value(0),
        -1
    );
    assert_eq!(
        read[0]
            .column(1)
            .as_primitive::<arrow::datatypes::TimestampNanosecondType>()
            .value(0),
        0
    );
}

/// One row of values and one of NULLs, written by Flink 2.3's parquet format with its defaults. Flink itself puts
/// 1969-12-31 23:59:59.999 a second too late, into its file too.
#[test]
fn what_flink_wrote_is_read() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/formats/parquet/flink-2.3.parquet");
    let file = File::open(file).unwrap();
    use DataType as D;
    let fields = [
        ("b", D::Boolean),
        ("t", D::Int8),
        ("s", D::Int16),
        ("i", D::Int32),
        ("l", D::Int64),
        ("f", D::Float32),
        ("d", D::Float64),
        ("de", D::Decimal128(10, 2)),
        ("db", D::Decimal128(30, 5)),
        ("st", D::Utf8),
        ("by1", D::Binary),
        ("da", D::Date32),
        ("ti", D::Time32(TimeUnit::Second)),
        ("ts0", D::Timestamp(TimeUnit::Second, None)),
        ("ts6", D::Timestamp(TimeUnit::Microsecond, None)),
        ("ts9", D::Timestamp(TimeUnit::Nanosecond, None)),
        (
            "lt",
            D::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        ),
        ("ar", list_type(D::Int32)),
        ("ma", map_type(D::Int32)),
        (
            "ro",
            D::Struct(Fields::from(vec![
                Field::new("y", D::Utf8, true),
                Field::new("z", D::Int32, true),
            ])),
        ),
        ("nn", D::Int32),
    ];
    let fields = fields.into_iter();
    let format = made(
        &schema(fields.map(|(n, t)| Field::new(n, t, n != "nn")).collect()),
        &[],
    );
    let read = rows(&*format, &file, &(0..21).collect::<Vec<_>>(), 0);
    let text = |row| {
        let cells = read[0].columns().iter();
        let cell = |c: &ArrayRef| arrow::util::display::array_value_to_string(c, row).unwrap();
        cells.map(cell).collect::<Vec<_>>().join("|")
    };
    assert_eq!(
        text(0),
        "true|1|2|3|4|1.5|2.5|12.34|1234567890123456789.12345|ü|0001|2026-01-02|03:04:05|\
         2026-01-02T03:04:05|9999-12-31T23:59:59.999999|2026-01-02T03:04:05.123456789|\
         2009-02-13T23:31:30.123Z|[1, 2, ]|{a: 1, b: }|{y: y, z: }|7"
    );
    assert_eq!(text(1), format!("{}8", "|".repeat(20)));
}

#[test]
fn only_the_columns_asked_for_from_any_row_on() {
    let field = |name: &str| Field::new(name, DataType::Int64, true);
    let schema = schema(vec![field("a"), field("b")]);
    let format = made(&schema, &[("parquet.block.size", "1000")]);
    let batches: Vec<RecordBatch> = (0..10_i64)
        .map(|i| {
            let numbers = |by| {
                Arc::new(Int64Array::from_iter_values(
                    (i * 70..i * 70 + 70).map(|n| n * by),
                ))
            };
            RecordBatch::try_new(Arc::clone(&schema), vec![numbers(1), numbers(2)]).unwrap()
        })
        .collect();
    let file = write(&*format, &batches);
    let (metadata, _) = open(&file, &schema).unwrap();
    assert!(metadata.metadata().num_row_groups() > 3);
    let b = super::super::project(&schema, &[1]);
    for first in [0, 1, 69, 70, 140, 333, 699, 700, 5000] {
        let read = concat_batches(&b, &rows(&*format, &file, &[1], first)).unwrap();
        let expected: Vec<i64> = (0..700).skip(first as usize).map(|n| n * 2).collect();
        assert_eq!(
            read.column(0)
                .as_primitive::<arrow::datatypes::Int64Type>()
                .values(),
            &expected
        );
    }
    let none = rows(&*format, &file, &[], 690);
    assert_eq!(none.iter().map(RecordBatch::num_rows).sum::<usize>(), 10);
    let reader = format
        .reader(file.try_clone().unwrap(), &[0], 0, 10)
        .unwrap();
    assert_eq!(reader.total_rows(), 700);
}

#[test]
fn columns_are_found_by_name_and_those_missing_are_null() {
    let one = |name: &str, array: ArrayRef| RecordBatch::try_from_iter([(name, array)]).unwrap();
    let a = one("a", Arc::new(Int32Array::from(vec![1])));
    let file = write(&*made(&a.schema(), &[]), &[a]);
    let wider = schema(vec![
        Field::new("b", DataType::Utf8, true),
        Field::new("a", DataType::Int64, true),
    ]);
    let read = rows(&*made(&wider, &[]), &file, &[0, 1], 0);
    assert!(read[0].column(0).is_null(0));
    assert_eq!(
        read[0]
            .column(1)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .value(0),
        1
    );
    for (field, expected) in [
        (
            Field::new("a", DataType::Utf8, true),
            "a: the file has INT, which does not fit the declared STRING",
        ),
        (
            Field::new("b", DataType::Utf8, false),
            "b: the file has no such column, which is declared NOT NULL",
        ),
        (
            Field::new("a", list_type(DataType::Int32), true),
            "a: the file has INT, which does not fit the declared ARRAY",
        ),
    ] {
        let format = made(&schema(vec![field]), &[]);
        let read = format.reader(file.try_clone().unwrap(), &[0], 0, 10);
        assert_eq!(fault_text(read.err().unwrap()), expected);
    }
    let large = one("a", Arc::new(Int32Array::from(vec![Some(300), None])));
    let nullable = large.schema();
    let nullable = schema(vec![nullable.field(0).clone().with_nullable(true)]);
    let large = RecordBatch::try_new(Arc::clone(&nullable), large.columns().to_vec()).unwrap();
    let file = write(&*made(&nullable, &[]), &[large]);
    for (field, expected) in [
        (
            Field::new("a", DataType::Int8, true),
            "a: a value is no TINYINT",
        ),
        (
            Field::new("a", DataType::Int32, false),
            "a: a value is NULL, but declared NOT NULL",
        ),
    ] {
        let format = made(&schema(vec![field]), &[]);
        let mut reader = format
            .reader(file.try_clone().unwrap(), &[0], 0, 10)
            .unwrap();
        assert_eq!(fault_text(reader.next_rows().unwrap_err()), expected);
    }
    let text = tempfile::tempfile().unwrap();
    let read = made(&wider, &[]).reader(text, &[0], 0, 10);
    assert!(fault_text(read.err().unwrap()).starts_with(": no whole Parquet file: "));
}

#[test]
fn options_are_checked() {
    let plain = schema(vec![Field::new("a", DataType::Int32, true)]);
    let gzip = refused(&plain, &[("parquet.compression", "GZIP")]);
    assert_eq!(
        gzip.message,
        "'parquet.compression' = 'GZIP' is not supported"
    );
    assert_eq!(
        gzip.help.unwrap(),
        "the codecs are: UNCOMPRESSED, SNAPPY, ZSTD"
    );
    for (key, value) in [
        ("parquet.block.size", "0"),
        ("parquet.write.int64.timestamp", "false"),
        ("parquet.timestamp.time.unit", "days"),
        ("parquet.compression.codec.zstd.level", "99"),
    ] {
        assert_eq!(refused(&plain, &[(key, value)]).key.as_deref(), Some(key));
    }
    let interval = DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano);
    let interval = refused(&schema(vec![Field::new("i", interval, true)]), &[]);
    assert!(
        interval
            .message
            .starts_with("column 'i': the parquet format does not support")
    );
    let of_records = crate::formats::format("parquet", "value.", &options(&[]), plain);
    let of_records = of_records.err().unwrap();
    assert_eq!(of_records.key.as_deref(), Some("value.format"));
    assert!(of_records.message.contains("whole files"));
}

/// Takes so many bytes and then has no room.
struct Full(Arc<Mutex<usize>>);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut left = self.0.lock().unwrap();
        if *left < bytes.len() {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        *left -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_as_such() {
    let batch = everything();
    let format = made(&batch.schema(), &[]);
    for room in [0, 4, 100, 2000] {
        let full = Full(Arc::new(Mutex::new(room)));
        let failed = format.writer(Box::new(full)).and_then(|mut writer| {
            writer.write(&batch)?;
            writer.write_out()?;
            writer.finish()
        });
        assert!(
            matches!(&failed, Err(FileFault::Io(e)) if e.kind() == std::io::ErrorKind::StorageFull),
            "{failed:?}"
        );
    }
}
