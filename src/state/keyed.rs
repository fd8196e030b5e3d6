//! State by key: values that expire, and which of them changed since the last snapshot.

use std::collections::HashMap;

use arrow::array::{Int64Array, RecordBatch};
use arrow::row::OwnedRow;

use super::{Expiry, Marks, RowCodec, StateTtl};
use crate::error::Result;

/// A value for each key.
///
/// What is written is remembered until the next snapshot, from the first snapshot (or a restore) on; and when it was written,
/// where there is a TTL. `D`: what is remembered of a changed key, besides that it changed.
#[derive(Debug)]
pub struct KeyedState<V, D = ()> {
    values: HashMap<OwnedRow, V>,
    marks: Marks<OwnedRow, D>,
    expiry: Expiry<OwnedRow>,
}

/// What is remembered of a key that changed: where a value has many entries, which of them a snapshot has to write or to list
/// as gone.
pub trait Detail<V>: Default {
    /// The key is about to lose its value.
    fn removed(&mut self, value: &V);
}

impl<V> Detail<V> for () {
    fn removed(&mut self, _value: &V) {}
}

/// A value that is being written, and what is remembered of it: `None` where nothing needs to be.
pub struct Writing<'a, V, D> {
    /// The value.
    pub value: &'a mut V,
    /// What the next snapshot has to know of the change.
    pub detail: Option<&'a mut D>,
}

/// The keys that a snapshot is about.
#[derive(Debug)]
pub struct ChangedKeys<D = ()> {
    /// Those with a value.
    pub there: Vec<(OwnedRow, D)>,
    /// Those without one any more.
    pub gone: Vec<(OwnedRow, D)>,
    /// Nothing was given before: all keys are there.
    pub is_whole: bool,
}

impl<D> ChangedKeys<D> {
    /// The keys that are there.
    pub fn there(&self) -> impl Iterator<Item = &OwnedRow> {
        self.there.iter().map(|(key, _)| key)
    }

    /// The keys that are gone, as columns; `None` where everything is given.
    ///
    /// # Errors
    /// Where a key is not of the codec's schema.
    pub fn gone(&self, keys: &RowCodec) -> Result<Option<RecordBatch>> {
        if self.is_whole {
            return Ok(None);
        }
        keys.decode(self.gone.iter().map(|(key, _)| key)).map(Some)
    }
}

impl<V, D: Detail<V>> KeyedState<V, D> {
    /// No keys yet.
    pub fn new(ttl: Option<StateTtl>) -> Self {
        Self {
            values: HashMap::new(),
            marks: Marks::default(),
            expiry: Expiry::new(ttl),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &OwnedRow) -> Option<&V> {
        self.values.get(key)
    }

    /// The value of a key, for what must be able to change it though it stays as it is: this is no write.
    pub fn get_mut(&mut self, key: &OwnedRow) -> Option<&mut V> {
        self.values.get_mut(key)
    }

    /// Whether a key has a value.
    pub fn contains(&self, key: &OwnedRow) -> bool {
        self.values.contains_key(key)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All keys and values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&OwnedRow, &V)> {
        self.values.iter()
    }

    /// Gives a key a value; returns the one before.
    pub fn insert(&mut self, key: OwnedRow, value: V) -> Option<V> {
        self.marks.mark(&key);
        self.expiry.touch(&key);
        self.values.insert(key, value)
    }

    /// The value of a key, to be written now; `new` where there is none.
    ///
    /// # Errors
    /// Those of `new`.
    pub fn write(
        &mut self,
        key: &OwnedRow,
        new: impl FnOnce() -> Result<V>,
    ) -> Result<Writing<'_, V, D>> {
        self.expiry.touch(key);
        let detail = self.marks.detail(key);
        if !self.values.contains_key(key) {
            self.values.insert(key.clone(), new()?);
        }
        match self.values.get_mut(key) {
            Some(value) => Ok(Writing { value, detail }),
            None => Err(crate::error::Error::internal("a key without its value")),
        }
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &OwnedRow) -> Option<V> {
        let value = self.values.remove(key)?;
        self.expiry.forget(key);
        if let Some(detail) = self.marks.detail(key) {
            detail.removed(&value);
        }
        Some(value)
    }

    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(&self) -> Option<u64> {
        self.expiry.clock_period()
    }

    /// The watermark moved to `time`: gives up keys by it, and returns them.
    pub fn on_watermark(&mut self, time: i64) -> Vec<(OwnedRow, V)> {
        let passed = self.expiry.on_watermark(time);
        self.give_up(passed)
    }

    /// The clock is at `time`: gives up keys by it, and returns them.
    pub fn on_clock(&mut self, time: i64) -> Vec<(OwnedRow, V)> {
        let passed = self.expiry.on_clock(time);
        self.give_up(passed)
    }

    fn give_up(&mut self, passed: super::Passed<OwnedRow>) -> Vec<(OwnedRow, V)> {
        passed.dated.iter().for_each(|key| self.marks.mark(key));
        let expired = passed.expired.into_iter();
        expired
            .filter_map(|key| Some((key.clone(), self.remove(&key)?)))
            .collect()
    }

    /// When keys were last written, for a snapshot: NULL where nothing expires.
    pub fn written<'a>(&self, keys: impl IntoIterator<Item = &'a OwnedRow>) -> Int64Array {
        keys.into_iter().map(|key| self.written_at(key)).collect()
    }

    /// When a key was last written; `None` where nothing expires.
    pub fn written_at(&self, key: &OwnedRow) -> Option<i64> {
        self.expiry.written(key)
    }

    /// What the next snapshot gives: all keys, or those that changed since the last. The next changes count from here.
    pub fn take_changes(&mut self) -> ChangedKeys<D> {
        match self.marks.take() {
            None => ChangedKeys {
                there: self
                    .values
                    .keys()
                    .map(|key| (key.clone(), D::default()))
                    .collect(),
                gone: Vec::new(),
                is_whole: true,
            },
            Some(changed) => {
                let is_there = |(key, _): &(OwnedRow, D)| self.values.contains_key(key);
                let (there, gone) = changed.into_iter().partition(is_there);
                ChangedKeys {
                    there,
                    gone,
                    is_whole: false,
                }
            }
        }
    }

    /// A key from a snapshot, and when it was written, if that is known.
    pub fn restore(&mut self, key: OwnedRow, value: V, written: Option<i64>) {
        self.expiry.restore(&key, written);
        self.values.insert(key, value);
    }

    /// When a key from a snapshot was written, if that is known; of several times the latest counts.
    pub fn restore_written(&mut self, key: &OwnedRow, written: Option<i64>) {
        self.expiry.restore(key, written);
    }

    /// All of the snapshot is there: what follows are changes.
    pub fn restored(&mut self) {
        self.marks.start();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use std::sync::{Arc, LazyLock};

    static KEYS: LazyLock<RowCodec> = LazyLock::new(|| {
        let key = Field::new("k", DataType::Int64, true);
        RowCodec::new(Arc::new(Schema::new(vec![key]))).unwrap()
    });

    fn key(k: i64) -> OwnedRow {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![k]));
        KEYS.encode(&[column], 1).unwrap().remove(0)
    }

    fn numbers<'a>(keys: impl Iterator<Item = &'a OwnedRow>) -> Vec<i64> {
        let keys = KEYS.decode(keys).unwrap();
        let mut keys = keys.column(0).as_primitive::<Int64Type>().values().to_vec();
        keys.sort_unstable();
        keys
    }

    fn changes<V, D: Detail<V>>(state: &mut KeyedState<V, D>) -> (Vec<i64>, Vec<i64>, bool) {
        let changed = state.take_changes();
        let gone = changed.gone.iter().map(|(key, _)| key);
        (numbers(changed.there()), numbers(gone), changed.is_whole)
    }

    #[test]
    fn the_first_snapshot_is_whole_and_the_next_are_what_changed() {
        let mut state: KeyedState<i64> = KeyedState::new(None);
        state.insert(key(1), 10);
        state.insert(key(2), 20);
        state.remove(&key(2));
        assert_eq!(changes(&mut state), (vec![1], vec![], true));
        assert_eq!(changes(&mut state), (vec![], vec![], false));
        state.insert(key(3), 30);
        state.insert(key(4), 40);
        assert_eq!(changes(&mut state), (vec![3, 4], vec![], false));
        *state.write(&key(1), || Ok(0)).unwrap().value += 1;
        state.remove(&key(3));
        state.remove(&key(4));
        state.insert(key(4), 41);
        state.remove(&key(5));
        *state.get_mut(&key(4)).unwrap() += 1;
        assert_eq!(changes(&mut state), (vec![1, 4], vec![3], false));
        assert_eq!(
            (state.get(&key(1)), state.get(&key(4))),
            (Some(&11), Some(&42))
        );
        assert_eq!(state.written([&key(1)]).value(0), 0);
        assert!(state.on_watermark(1000).is_empty());
    }

    #[test]
    fn after_a_restore_only_changes_are_given() {
        let ttl = StateTtl {
            after: 10,
            by_event_time: true,
        };
        let mut state: KeyedState<i64> = KeyedState::new(Some(ttl));
        state.restore(key(1), 10, Some(100));
        state.restore(key(2), 20, Some(105));
        state.restore(key(3), 30, None);
        state.restored();
        assert_eq!(changes(&mut state), (vec![], vec![], false));
        assert_eq!(state.on_watermark(110), [(key(1), 10)]);
        assert_eq!(
            changes(&mut state),
            (vec![3], vec![1], false),
            "that the time of a key is known now is a change"
        );
        assert_eq!(
            state.written([&key(2), &key(3)]).values().as_ref(),
            [105, 110]
        );
        state.write(&key(2), || Ok(0)).unwrap();
        assert_eq!(changes(&mut state), (vec![2], vec![], false));
        assert_eq!(state.on_watermark(119), []);
        let expired = state.on_watermark(120).into_iter().map(|(_, v)| v);
        assert_eq!(expired.sum::<i64>(), 50);
        assert!(state.is_empty());
        assert_eq!(changes(&mut state), (vec![], vec![2, 3], false));
        assert_eq!(state.clock_period(), None);
    }

    #[derive(Default)]
    struct Entries(Vec<i64>);

    impl Detail<Vec<i64>> for Entries {
        fn removed(&mut self, value: &Vec<i64>) {
            self.0.extend(value);
        }
    }

    #[test]
    fn what_is_known_of_a_change_covers_what_was_removed_with_its_key() {
        let mut state: KeyedState<Vec<i64>, Entries> = KeyedState::new(None);
        state.restore(key(1), vec![5, 6], None);
        state.restored();
        let add = |state: &mut KeyedState<Vec<i64>, Entries>, n: i64| {
            let writing = state.write(&key(1), || Ok(Vec::new())).unwrap();
            writing.value.push(n);
            writing.detail.unwrap().0.push(n);
        };
        add(&mut state, 7);
        state.remove(&key(1));
        add(&mut state, 8);
        let changed = state.take_changes();
        assert_eq!(changed.there[0].1.0, [7, 5, 6, 7, 8]);
    }
}
