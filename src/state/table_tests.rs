//! A table against a model of it, however it is written, cut, put together and spread anew.

use std::collections::BTreeMap;

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;

use super::super::{KEY_GROUPS, instance_of, merge};
use super::*;

fn schema() -> SchemaRef {
    let field = |name, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("k", DataType::Int64),
        field("l", DataType::Int64),
        field("text", DataType::Utf8),
        field("number", DataType::Int64),
    ]))
}

type Key = (i64, Option<i64>);

fn key_columns(keys: &[Key]) -> Vec<ArrayRef> {
    vec![
        Arc::new(Int64Array::from_iter_values(keys.iter().map(|k| k.0))),
        Arc::new(keys.iter().map(|k| k.1).collect::<Int64Array>()),
    ]
}

fn text(number: i64) -> Option<String> {
    (number % 3 != 0).then(|| "x".repeat(number as usize))
}

const TTL: StateTtl = StateTtl {
    after: 20,
    by_event_time: true,
};

fn table(expires: bool) -> Table {
    Table::new("t", schema(), &[0, 1], &[0], expires.then_some(TTL)).unwrap()
}

fn write(table: &mut Table, rows: &[(Key, i64)]) {
    let keys: Vec<Key> = rows.iter().map(|row| row.0).collect();
    let keys = table.keys_of(&key_columns(&keys), rows.len()).unwrap();
    let touched = table.write_all(&keys).unwrap();
    assert!(
        touched
            .new_slots()
            .iter()
            .all(|slot| table.int(3, *slot) == 0)
    );
    let slots: Vec<Slot> = touched.rows.iter().map(|at| touched.slots[*at]).collect();
    let texts: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|row| text(row.1))));
    table.set(2, &slots, &texts).unwrap();
    for (slot, (_, number)) in slots.into_iter().zip(rows) {
        table.set_int(3, slot, *number).unwrap();
    }
}

fn remove(table: &mut Table, key: Key) -> bool {
    let keys = table.keys_of(&key_columns(&[key]), 1).unwrap();
    let slot = table.find(&keys, 0);
    slot.into_iter()
        .for_each(|slot| table.remove(slot).unwrap());
    slot.is_some()
}

fn taken(table: &mut Table) -> Vec<StatePart> {
    taken_by(table, PART)
}

fn taken_by(table: &mut Table, most: usize) -> Vec<StatePart> {
    let parts = table.snapshot_by(most).unwrap();
    parts.iter().map(|part| part.part().unwrap()).collect()
}

fn rows(rows: &RecordBatch) -> BTreeMap<Key, i64> {
    let ints = |c: usize| rows.column(c).as_primitive::<Int64Type>();
    let texts = rows.column(2).as_string::<i32>();
    let mut all = BTreeMap::new();
    for i in 0..rows.num_rows() {
        let l = ints(1).is_valid(i).then(|| ints(1).value(i));
        let number = ints(3).value(i);
        let shown = texts.is_valid(i).then(|| texts.value(i).to_string());
        assert_eq!(shown, text(number));
        assert!(all.insert((ints(0).value(i), l), number).is_none());
    }
    all
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(Key, i64)>),
    Remove(Key),
    Time(i64),
    Snapshot,
    /// Everything so far becomes one file.
    Compact,
    Rescale(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || (0i64..6, proptest::option::weighted(0.8, 0i64..2));
    let written = (key(), 1i64..40);
    let step = prop_oneof![
        8 => proptest::collection::vec(written, 1..4).prop_map(Step::Write),
        4 => key().prop_map(Step::Remove),
        3 => (0i64..15).prop_map(Step::Time),
        4 => Just(Step::Snapshot),
        1 => Just(Step::Compact),
        1 => (1usize..4).prop_map(Step::Rescale),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn snapshots_add_up_to_the_table(steps in steps(), expires: bool, instances in 1usize..3) {
        let mut all: Vec<Table> = (0..instances).map(|_| table(expires)).collect();
        let mut log: Vec<StatePart> = Vec::new();
        // The number of each key, and when it was written.
        let mut model: BTreeMap<Key, (i64, Option<i64>)> = BTreeMap::new();
        let mut now = None;
        let group = |key: Key| {
            let keys = RecordBatch::try_from_iter([("k", key_columns(&[key]).remove(0))]);
            StatePart::keyed("t", keys.unwrap(), &[0]).unwrap().key_groups.value(0)
        };
        for step in steps.into_iter().chain([Step::Snapshot]) {
            let n = all.len();
            let owner = |key: Key| instance_of(group(key), n);
            match step {
                Step::Write(written) => {
                    for (i, table) in all.iter_mut().enumerate() {
                        let own: Vec<(Key, i64)> =
                            written.iter().filter(|row| owner(row.0) == i).copied().collect();
                        write(table, &own);
                    }
                    let step = now.map(|now| TTL.step_of(now));
                    model.extend(written.into_iter().map(|(key, number)| (key, (number, step))));
                }
                Step::Remove(key) => {
                    prop_assert_eq!(remove(&mut all[owner(key)], key), model.remove(&key).is_some());
                }
                Step::Time(by) => {
                    let time = now.unwrap_or(100) + by;
                    now = Some(time);
                    for table in &mut all {
                        for slot in table.on_watermark(time) {
                            table.remove(slot).unwrap();
                        }
                    }
                    let step = Some(TTL.step_of(time));
                    model.values_mut().for_each(|(_, at)| *at = at.or(step));
                    model.retain(|_, (_, at)| !expires || Some(TTL.expires(at.unwrap())) > step);
                }
                Step::Snapshot => {
                    log.extend(all.iter_mut().flat_map(taken));
                    let whole = merge(log.clone()).unwrap().remove(0);
                    let expected = model.iter().map(|(key, (number, _))| (*key, *number));
                    prop_assert_eq!(rows(&whole.rows), expected.collect::<BTreeMap<_, _>>());
                    prop_assert!(whole.key_groups.iter().all(|g| g.unwrap() < KEY_GROUPS));
                }
                Step::Compact if !log.is_empty() => log = merge(log).unwrap(),
                Step::Compact => {}
                Step::Rescale(n) => {
                    log.extend(all.iter_mut().flat_map(taken));
                    let whole = merge(log.clone()).unwrap().remove(0);
                    all = (0..n).map(|_| table(expires)).collect();
                    for (i, table) in all.iter_mut().enumerate() {
                        table.restore_all(&[whole.of_instance(i, n).unwrap()]).unwrap();
                        // The watermark comes again before any row.
                        if let Some(now) = now {
                            prop_assert!(table.on_watermark(now).is_empty());
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_table_without_a_key_has_one_row() {
    let number = Field::new("n", DataType::Int64, true);
    let make = || {
        Table::new(
            "t",
            Arc::new(Schema::new(vec![number.clone()])),
            &[],
            &[],
            None,
        )
    };
    let mut table = make().unwrap();
    let keys = table.keys_of(&[], 2).unwrap();
    let touched = table.write_all(&keys).unwrap();
    assert_eq!(
        (touched.slots.as_slice(), touched.rows.as_slice()),
        (&[0][..], &[0, 0][..])
    );
    table.set_int(0, 0, 7).unwrap();
    let first = taken(&mut table).remove(0);
    table.remove(0).unwrap();
    let second = taken(&mut table).remove(0);
    let mut other = make().unwrap();
    other.restore_all(std::slice::from_ref(&first)).unwrap();
    assert_eq!(other.int(0, 0), 7);
    let nothing = merge(vec![first, second]).unwrap().remove(0);
    assert_eq!(nothing.rows.num_rows(), 0);
}

#[test]
fn rows_that_are_spread_by_their_key_have_the_groups_of_it() {
    let mut table = Table::new("t", schema(), &[1, 0], &[1, 0], None).unwrap();
    let columns = key_columns(&[(1, None), (2, Some(7)), (-3, Some(0))]);
    let columns = [Arc::clone(&columns[1]), Arc::clone(&columns[0])];
    let keys = table.keys_of(&columns, 3).unwrap();
    table.write_all(&keys).unwrap();
    let part = taken(&mut table).remove(0);
    let expected = StatePart::keyed("t", part.rows.clone(), &[1, 0]).unwrap();
    assert_eq!(part.key_groups, expected.key_groups);
}

#[test]
fn a_large_table_is_given_in_several_parts() {
    let mut table = table(false);
    write(
        &mut table,
        &[((1, None), 5), ((2, None), 8), ((3, None), 7)],
    );
    let parts = taken_by(&mut table, 1);
    assert_eq!(parts.len(), 3);
    write(&mut table, &[((1, None), 4), ((4, None), 2)]);
    assert!(remove(&mut table, (2, None)));
    let all = parts.into_iter().chain(taken_by(&mut table, 1));
    let whole = merge(all.collect()).unwrap().remove(0);
    let expected = [((1, None), 4), ((3, None), 7), ((4, None), 2)];
    assert_eq!(rows(&whole.rows), BTreeMap::from(expected));
    assert_eq!(taken_by(&mut table, 1).len(), 1, "a part also of nothing");
}

#[test]
fn a_slot_is_used_again_with_nothing_left_in_it() {
    let mut table = table(true);
    write(&mut table, &[((1, None), 5), ((2, None), 8)]);
    assert!(remove(&mut table, (1, None)));
    let keys = table.keys_of(&key_columns(&[(3, Some(1))]), 1).unwrap();
    assert_eq!(table.write(&keys, 0).unwrap(), (0, true));
    assert_eq!(table.int(3, 0), 0);
    assert!(table.values(2, &[0]).unwrap().is_null(0));
    assert_eq!(table.all(), [0, 1]);
    assert_eq!(table.slots(), 2);
}

/// Whoever stores a snapshot sees the rows as they were, whatever becomes of the table meanwhile.
#[test]
fn a_snapshot_stays_as_it_was() {
    let mut table = table(false);
    let all: Vec<(Key, i64)> = (0..10_000).map(|k| ((k, None), k % 40)).collect();
    write(&mut table, &all);
    let first = table.snapshot().unwrap();
    assert!(matches!(first[..], [TableSnapshot::Rows(_)]), "{first:?}");
    let read = std::thread::spawn(move || {
        let parts = first.iter().map(|part| part.part().unwrap());
        (parts.collect::<Vec<_>>(), first)
    });
    for (key, _) in &all[..5000] {
        assert!(remove(&mut table, *key));
    }
    let changed: Vec<(Key, i64)> = all[5000..].iter().map(|(key, n)| (*key, n + 1)).collect();
    write(&mut table, &changed);
    let (parts, first) = read.join().unwrap();
    let expected: BTreeMap<Key, i64> = all.into_iter().collect();
    assert_eq!(rows(&parts[0].rows), expected);
    let again = first[0].part().unwrap();
    assert_eq!(rows(&again.rows), expected);
    let parts = parts.into_iter().chain(taken(&mut table));
    let whole = merge(parts.collect()).unwrap().remove(0);
    assert_eq!(rows(&whole.rows), changed.into_iter().collect());
}
