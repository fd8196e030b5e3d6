//! Archives of topics: whatever their files are like, each offset comes once and in order.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::*;
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::super::archive::{Archive, ArchiveColumns, Offsets};
use super::*;

/// Writes a file of rows (partition, offset); `v` says which row it is.
struct Writing<'a> {
    case: &'a Case,
    names: [&'a str; 2],
    group_rows: usize,
    statistics: EnabledStatistics,
}

impl Writing<'_> {
    fn file(&self, name: &str, rows: &[(i32, i64)]) {
        let (partitions, offsets): (Vec<i32>, Vec<i64>) = rows.iter().copied().unzip();
        let values = StringArray::from_iter_values(rows.iter().map(|(p, o)| format!("{p}/{o}")));
        let [partition, offset] = self.names;
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("v", Arc::new(values)),
            (offset, Arc::new(Int64Array::from(offsets))),
        ];
        // Where the folder names the partition, the file does not.
        if !name.contains("partition=") {
            columns.insert(0, (partition, Arc::new(Int32Array::from(partitions))));
        }
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(self.group_rows))
            .set_statistics_enabled(self.statistics)
            .build();
        let path = self.case.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
    }
}

fn case() -> Case {
    Case::new(&[], COLUMNS, &[("format", "parquet")])
}

fn writing(case: &Case) -> Writing<'_> {
    Writing {
        case,
        names: ["partition", "offset"],
        group_rows: 10,
        statistics: EnabledStatistics::Chunk,
    }
}

fn wanted() -> Schema {
    Schema::new(vec![
        Field::new("gone", DataType::Utf8, true),
        Field::new("v", DataType::Utf8, true),
    ])
}

fn open(case: &Case) -> Arc<Archive> {
    let columns = ArchiveColumns::default();
    Arc::new(Archive::open(case.dir.path(), &wanted(), &columns).unwrap())
}

/// The offsets from one on, each with its own row.
fn offsets(archive: &Arc<Archive>, partition: i32, from: i64, batch_rows: usize) -> Vec<i64> {
    let mut reader = archive.read(partition, from, batch_rows);
    let mut found = Vec::new();
    while let Some(read) = reader.next_rows().unwrap() {
        assert!((1..=batch_rows).contains(&read.rows.num_rows()));
        assert_eq!(read.rows.schema().as_ref(), &wanted());
        assert_eq!(read.rows.column(0).null_count(), read.rows.num_rows());
        for (offset, value) in read
            .offsets
            .values()
            .iter()
            .zip(read.rows.column(1).as_string::<i32>())
        {
            assert_eq!(value.unwrap(), format!("{partition}/{offset}"));
            found.push(*offset);
        }
        assert_eq!(reader.position(), found.last().unwrap() + 1);
    }
    assert!(reader.next_rows().unwrap().is_none());
    found
}

#[test]
fn files_one_after_another_and_a_start_within() {
    let case = case();
    let write = writing(&case);
    // The order of names is not that of offsets, and there are gaps.
    write.file("a.parquet", &(60..95).map(|o| (0, o)).collect::<Vec<_>>());
    write.file(
        "b.parquet",
        &(0..25).map(|o| (0, o * 2)).collect::<Vec<_>>(),
    );
    write.file("dt=1/partition=7/c.parquet", &[(7, 3), (7, 4)]);
    write.file(".hidden.parquet", &[(0, 1)]);
    let archive = open(&case);
    assert_eq!(
        archive.partitions(),
        BTreeMap::from([
            (0, Offsets { first: 0, next: 95 }),
            (7, Offsets { first: 3, next: 5 })
        ])
    );
    let all: Vec<i64> = (0..25).map(|o| o * 2).chain(60..95).collect();
    for batch_rows in [1, 7, 1000] {
        for from in [0, 1, 19, 20, 48, 49, 60, 77, 94, 95, 1000] {
            let expected: Vec<i64> = all.iter().copied().filter(|o| *o >= from).collect();
            assert_eq!(
                offsets(&archive, 0, from, batch_rows),
                expected,
                "from {from}"
            );
        }
    }
    assert_eq!(offsets(&archive, 7, 0, 10), [3, 4]);
    assert_eq!(offsets(&archive, 1, 0, 10), [0; 0]);
}

/// Rows dealt out to files at random, some of them twice, in order or not, with statistics or without.
#[test]
fn each_offset_once_and_in_order() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = case();
        let mut rows: BTreeMap<i32, BTreeSet<i64>> = BTreeMap::new();
        for file in 0..random.usize(1..6) {
            let write = Writing {
                group_rows: random.usize(1..30),
                statistics: match random.bool() {
                    true => EnabledStatistics::Chunk,
                    false => EnabledStatistics::None,
                },
                ..writing(&case)
            };
            let alone = random.bool().then(|| random.i32(0..3));
            let start = random.i64(0..100);
            let mut written: Vec<(i32, i64)> = (0..random.usize(1..120))
                .map(|_| {
                    (
                        alone.unwrap_or_else(|| random.i32(0..3)),
                        start + random.i64(0..80),
                    )
                })
                .collect();
            if random.bool() {
                written.sort_unstable();
            }
            for (partition, offset) in &written {
                rows.entry(*partition).or_default().insert(*offset);
            }
            let name = match alone {
                Some(partition) if random.bool() => format!("partition={partition}/{file}"),
                _ => file.to_string(),
            };
            write.file(&name, &written);
        }
        let archive = open(&case);
        let ends = |offsets: &BTreeSet<i64>| Offsets {
            first: *offsets.first().unwrap(),
            next: offsets.last().unwrap() + 1,
        };
        let expected: BTreeMap<i32, Offsets> = rows.iter().map(|(p, o)| (*p, ends(o))).collect();
        assert_eq!(archive.partitions(), expected, "seed {seed}");
        for (partition, all) in &rows {
            let from = random.i64(0..150);
            let batch_rows = random.usize(1..50);
            let expected: Vec<i64> = all.range(from..).copied().collect();
            assert_eq!(
                offsets(&archive, *partition, from, batch_rows),
                expected,
                "seed {seed}"
            );
        }
    }
}

#[test]
fn other_names_and_columns_of_the_path() {
    let case = case();
    let write = Writing {
        names: ["p", "o"],
        ..writing(&case)
    };
    write.file("dt=2026-01-02/x", &[(1, 5), (1, 6)]);
    let columns = ArchiveColumns {
        partition: "p".to_string(),
        offset: "o".to_string(),
        ..ArchiveColumns::default()
    };
    let wanted = Schema::new(vec![
        Field::new("dt", DataType::Date32, false),
        Field::new("o", DataType::Int64, true),
        Field::new("p", DataType::Int32, true),
    ]);
    let archive = Arc::new(Archive::open(case.dir.path(), &wanted, &columns).unwrap());
    let read = archive.read(1, 6, 10).next_rows().unwrap().unwrap();
    assert_eq!(
        crate::connectors::testing::texts(&read.rows),
        ["2026-01-02|6|1"]
    );
    // Rows alone can be counted.
    let none = Arc::new(Archive::open(case.dir.path(), &Schema::empty(), &columns).unwrap());
    let read = none.read(1, 0, 10).next_rows().unwrap().unwrap();
    assert_eq!((read.rows.num_columns(), read.rows.num_rows()), (0, 2));
    let missing = Archive::open(case.dir.path(), &wanted, &ArchiveColumns::default()).unwrap_err();
    assert_eq!(
        missing.message,
        format!(
            "{}: there is no column 'partition'",
            case.name("dt=2026-01-02/x")
        )
    );
}

#[test]
fn what_is_no_archive_is_told() {
    let case = case();
    let open = |wanted: &Schema| {
        Archive::open(case.dir.path(), wanted, &ArchiveColumns::default()).unwrap_err()
    };
    let schema = Schema::new(vec![
        Field::new("partition", DataType::Int32, true),
        Field::new("offset", DataType::Int64, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![Some(0), None])),
        Arc::new(Int64Array::from(vec![Some(0), Some(1)])),
    ];
    let rows = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let file = std::fs::File::create(case.name("f")).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    assert_eq!(
        open(&Schema::empty()).message,
        format!(
            "{}: the partition or the offset of a row is NULL",
            case.name("f")
        )
    );
    let text = Schema::new(vec![Field::new("offset", DataType::Utf8, true)]);
    assert_eq!(
        open(&text).message,
        format!(
            "{}: column 'offset': the file has BIGINT, which does not fit the declared STRING",
            case.name("f")
        )
    );
    case.write("f", b"text");
    assert!(
        open(&Schema::empty())
            .message
            .contains("no whole Parquet file")
    );
    let gone = Archive::open(case.name("gone"), &text, &ArchiveColumns::default()).unwrap_err();
    assert!(gone.message.ends_with("there is no such file or folder"));
}

/// A row group that is larger than what a reader holds at a time: its rows come in batches.
#[test]
fn large_groups_come_in_batches() {
    let case = case();
    let write = Writing {
        group_rows: 100_000,
        ..writing(&case)
    };
    let rows: Vec<(i32, i64)> = (0..60_000).map(|i| (i as i32 % 3, i / 3)).collect();
    write.file("x", &rows);
    let archive = open(&case);
    assert_eq!(
        archive.partitions()[&2],
        Offsets {
            first: 0,
            next: 20_000
        }
    );
    let read = offsets(&archive, 2, 100, 512);
    assert_eq!(read, (100..20_000).collect::<Vec<i64>>());
}
