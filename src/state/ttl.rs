//! State that is given up once it has not been written for a while (Flink: `table.exec.state.ttl`).

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// When state is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTtl {
    /// How long after it was last written, in milliseconds.
    pub after: i64,
    /// Counted in event time (by the watermark); else by the clock.
    pub by_event_time: bool,
}

impl StateTtl {
    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(self) -> Option<u64> {
        (!self.by_event_time).then(|| (self.after.unsigned_abs() / 4).clamp(10, 1000))
    }
}

/// Which keys were written when.
#[derive(Debug)]
pub struct Expiry<K> {
    ttl: Option<StateTtl>,
    now: Option<i64>,
    written: HashMap<K, i64>,
    order: BTreeSet<(i64, K)>,
}

/// What it means for keys that time has passed.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed<K> {
    /// Their state is to be given up.
    pub expired: Vec<K>,
    /// They were written before the time was known, and count as written now.
    pub dated: Vec<K>,
}

impl<K: Clone + Eq + Hash + Ord> Expiry<K> {
    /// Without a TTL nothing expires and nothing is remembered.
    pub fn new(ttl: Option<StateTtl>) -> Self {
        Self {
            ttl,
            now: None,
            written: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// The state of `key` was written now. Before the time is known it counts from the first time that is.
    pub fn touch(&mut self, key: &K) {
        let at = self.now.unwrap_or(i64::MIN);
        self.set(key, at);
    }

    /// The state of `key` was written at `at`, says a snapshot; `None`: it is not known when, which is as now. Of several times
    /// the latest counts.
    pub fn restore(&mut self, key: &K, at: Option<i64>) {
        match (at, self.written.get(key)) {
            (Some(at), before) if before.is_none_or(|before| *before < at) => self.set(key, at),
            (None, None) => self.touch(key),
            _ => {}
        }
    }

    fn set(&mut self, key: &K, at: i64) {
        if self.ttl.is_none() {
            return;
        }
        let key = match self.written.get_mut(key) {
            Some(before) if *before == at => return,
            Some(before) => {
                let place = (*before, key.clone());
                *before = at;
                self.order.remove(&place);
                place.1
            }
            None => {
                self.written.insert(key.clone(), at);
                key.clone()
            }
        };
        self.order.insert((at, key));
    }

    /// When the state of `key` was last written, for a snapshot.
    pub fn written(&self, key: &K) -> Option<i64> {
        self.written.get(key).copied()
    }

    /// The state of `key` is gone for another reason.
    pub fn forget(&mut self, key: &K) {
        if let Some(at) = self.written.remove(key) {
            self.order.remove(&(at, key.clone()));
        }
    }

    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(&self) -> Option<u64> {
        self.ttl?.clock_period()
    }

    /// The watermark moved to `time`.
    pub fn on_watermark(&mut self, time: i64) -> Passed<K> {
        self.advance(time, true)
    }

    /// The clock is at `time`.
    pub fn on_clock(&mut self, time: i64) -> Passed<K> {
        self.advance(time, false)
    }

    fn advance(&mut self, time: i64, is_event_time: bool) -> Passed<K> {
        let mut passed = Passed {
            expired: Vec::new(),
            dated: Vec::new(),
        };
        let Some(ttl) = self.ttl.filter(|t| t.by_event_time == is_event_time) else {
            return passed;
        };
        // The end of input is no time at which anything could still be written.
        if time == i64::MAX {
            return passed;
        }
        if self.now.is_none() {
            let unknown = self.order.iter().take_while(|(t, _)| *t == i64::MIN);
            passed.dated = unknown.map(|(_, key)| key.clone()).collect();
            for key in &passed.dated {
                self.set(key, time);
            }
        }
        let now = self.now.map_or(time, |n| n.max(time));
        self.now = Some(now);
        while let Some((at, _)) = self.order.first()
            && at.saturating_add(ttl.after) <= now
        {
            if let Some((_, key)) = self.order.pop_first() {
                self.written.remove(&key);
                passed.expired.push(key);
            }
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_expires_when_it_was_not_written_for_the_ttl() {
        let mut e = Expiry::new(Some(StateTtl {
            after: 10,
            by_event_time: true,
        }));
        e.touch(&"a");
        let first = Passed {
            expired: vec![],
            dated: vec!["a"],
        };
        assert_eq!(
            e.on_watermark(100),
            first,
            "counts from the first time known"
        );
        e.touch(&"b");
        assert!(e.on_clock(10_000).expired.is_empty(), "another time");
        assert!(e.on_watermark(105).expired.is_empty());
        e.touch(&"a");
        assert_eq!(e.on_watermark(110).expired, ["b"]);
        assert!(e.on_watermark(i64::MAX).expired.is_empty());
        assert_eq!(e.on_watermark(115).expired, ["a"]);
    }
}
