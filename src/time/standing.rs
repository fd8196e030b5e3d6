//! How far the event time of each partition of a table has come, for whoever looks from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Millis;

/// Where a partition stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionTime {
    /// Its watermark; `None` before the first.
    pub watermark: Option<Millis>,
    /// The event time of its last row.
    pub last_event: Option<Millis>,
    /// The clock at its last row, or when it was first read.
    pub seen: Millis,
    /// It had no row for so long that time does not wait for it.
    pub is_idle: bool,
}

/// The partitions of a table, and which of them the others wait for.
#[derive(Debug, Default)]
pub struct TableTime {
    partitions: BTreeMap<Arc<str>, PartitionTime>,
    last: Option<Last>,
}

/// The partition that is least far.
#[derive(Debug)]
struct Last {
    partition: Arc<str>,
    watermark: Option<Millis>,
    /// Since when another one has been ahead of it.
    since: Option<Millis>,
}

impl TableTime {
    /// A partition stands here now; `now`: the clock.
    pub fn set(&mut self, partition: &Arc<str>, time: PartitionTime, now: Millis) {
        match self.partitions.get_mut(partition) {
            Some(known) => *known = time,
            None => drop(self.partitions.insert(Arc::clone(partition), time)),
        }
        match &mut self.last {
            // Nearly always: it is none that the others wait for, and does not become one.
            Some(last) if last.partition != *partition && time.watermark >= last.watermark => {
                if time.watermark > last.watermark {
                    last.since.get_or_insert(now);
                }
            }
            _ => self.find_last(now),
        }
    }

    /// A partition has ended, or is read by nobody any more.
    pub fn remove(&mut self, partition: &str, now: Millis) {
        self.partitions.remove(partition);
        self.find_last(now);
    }

    /// The partitions by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &PartitionTime)> {
        self.partitions.iter()
    }

    /// Since when a partition has been one that others wait for; `None`: it is none.
    pub fn held_since(&self, time: &PartitionTime) -> Option<Millis> {
        let last = self.last.as_ref()?;
        let is_last = !time.is_idle && time.watermark == last.watermark;
        last.since.filter(|_| is_last)
    }

    /// How far the table has come: as far as the last partition that is not idle.
    pub fn watermark(&self) -> Option<Millis> {
        match &self.last {
            Some(last) => last.watermark,
            None => self.partitions.values().filter_map(|p| p.watermark).max(),
        }
    }

    fn find_last(&mut self, now: Millis) {
        let active = self.partitions.iter().filter(|(_, p)| !p.is_idle);
        let found = active.min_by_key(|(_, p)| p.watermark);
        let Some((partition, time)) = found else {
            self.last = None;
            return;
        };
        let is_held = self
            .partitions
            .values()
            .any(|p| p.watermark > time.watermark);
        let before = self
            .last
            .as_ref()
            .filter(|last| last.partition == *partition);
        let since = before.and_then(|last| last.since).unwrap_or(now);
        self.last = Some(Last {
            partition: Arc::clone(partition),
            watermark: time.watermark,
            since: is_held.then_some(since),
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(watermark: impl Into<Option<Millis>>) -> PartitionTime {
        PartitionTime {
            watermark: watermark.into(),
            ..PartitionTime::default()
        }
    }

    /// The partitions that others wait for, and since when.
    fn held(table: &TableTime) -> Vec<(String, Millis)> {
        let held = |(name, time): (&Arc<str>, &PartitionTime)| {
            Some((name.to_string(), table.held_since(time)?))
        };
        table.iter().filter_map(held).collect()
    }

    #[test]
    fn the_partition_that_is_least_far_holds_the_others_back() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut table = TableTime::default();
        table.set(&a, at(None), 1);
        table.set(&b, at(None), 1);
        assert_eq!(held(&table), [], "nobody is ahead");
        table.set(&b, at(10), 5);
        table.set(&b, at(20), 6);
        assert_eq!(held(&table), [("a".to_string(), 5)]);
        assert_eq!(table.watermark(), None);
        table.set(&a, at(15), 7);
        assert_eq!(held(&table), [("a".to_string(), 5)], "still behind");
        assert_eq!(table.watermark(), Some(15));
        table.set(&a, at(30), 8);
        assert_eq!(held(&table), [("b".to_string(), 8)]);
        let idle = PartitionTime {
            is_idle: true,
            ..at(20)
        };
        table.set(&b, idle, 9);
        assert_eq!(held(&table), []);
        assert_eq!(table.watermark(), Some(30));
        table.remove("a", 10);
        assert_eq!(table.watermark(), Some(20), "all that are left are idle");
    }
}
