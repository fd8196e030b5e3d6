//! Which keys changed since the last snapshot.

use std::collections::HashMap;
use std::hash::Hash;

/// The keys that were written or removed since the last snapshot, each with what else is to be known of its change. Nothing is
/// remembered before the first snapshot, which gives everything, or before state was restored.
#[derive(Debug)]
pub struct Marks<K, D = ()> {
    since: Option<HashMap<K, D>>,
}

impl<K, D> Default for Marks<K, D> {
    fn default() -> Self {
        Self { since: None }
    }
}

impl<K: Clone + Eq + Hash, D: Default> Marks<K, D> {
    /// Whether changes are remembered.
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// All there is now is in the last snapshot: changes are remembered from here on.
    pub fn start(&mut self) {
        self.since = Some(HashMap::new());
    }

    /// `key` was written or removed.
    pub fn mark(&mut self, key: &K) {
        if let Some(marks) = &mut self.since
            && !marks.contains_key(key)
        {
            marks.insert(key.clone(), D::default());
        }
    }

    /// As [`Marks::mark`]; returns what is known of the change, where changes are remembered.
    pub fn detail(&mut self, key: &K) -> Option<&mut D> {
        self.mark(key);
        self.since.as_mut()?.get_mut(key)
    }

    /// Takes the changes out, for a snapshot; `None`: everything is to be given. The next ones count from here.
    pub fn take(&mut self) -> Option<HashMap<K, D>> {
        self.since.replace(HashMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_remembered_from_the_first_snapshot_or_a_restore_on() {
        let mut marks: Marks<&str> = Marks::default();
        marks.mark(&"a");
        assert_eq!(marks.take(), None);
        assert_eq!(marks.take(), Some(HashMap::new()));
        marks.mark(&"b");
        marks.mark(&"b");
        assert_eq!(marks.take(), Some(HashMap::from([("b", ())])));
        let mut restored: Marks<&str, Vec<i64>> = Marks::default();
        assert!(restored.detail(&"a").is_none());
        restored.start();
        restored.detail(&"a").into_iter().for_each(|d| d.push(1));
        restored.mark(&"a");
        assert_eq!(restored.take(), Some(HashMap::from([("a", vec![1])])));
    }
}
