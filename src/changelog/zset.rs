//! Z-sets: collections in which every element has a weight, +n for so many there, -n for so many owed. They add up in any
//! order (a commutative group), which is why a changelog may be cut into batches anywhere (Budiu et al., "DBSP: Automatic
//! Incremental View Maintenance", VLDB 2023).

use std::hash::Hash;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// Elements with their weights, in the order in which they were first mentioned. No element has weight 0.
#[derive(Debug, Clone)]
pub struct ZSet<T> {
    weights: HashMap<T, (i64, u64)>,
    mentions: u64,
}

impl<T> Default for ZSet<T> {
    fn default() -> Self {
        Self {
            weights: HashMap::new(),
            mentions: 0,
        }
    }
}

impl<T: Clone + Eq + Hash> ZSet<T> {
    /// Adds `weight` to that of `element`.
    pub fn add(&mut self, element: T, weight: i64) {
        if weight == 0 {
            return;
        }
        self.mentions += 1;
        match self.weights.entry(element) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().0 += weight;
                if entry.get().0 == 0 {
                    entry.remove();
                }
            }
            Entry::Vacant(entry) => {
                entry.insert((weight, self.mentions));
            }
        }
    }

    /// The weight of `element`.
    pub fn weight(&self, element: &T) -> i64 {
        self.weights.get(element).map_or(0, |(w, _)| *w)
    }

    /// Number of elements with a weight.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether all weights are 0.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The elements and weights, in the order in which they came to have one.
    pub fn into_entries(self) -> Vec<(T, i64)> {
        let mut entries: Vec<(T, (i64, u64))> = self.weights.into_iter().collect();
        entries.sort_unstable_by_key(|(_, (_, mention))| *mention);
        entries.into_iter().map(|(t, (w, _))| (t, w)).collect()
    }
}

impl<T: Clone + Eq + Hash> Extend<(T, i64)> for ZSet<T> {
    fn extend<I: IntoIterator<Item = (T, i64)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(t, w)| self.add(t, w));
    }
}

impl<T: Clone + Eq + Hash> FromIterator<(T, i64)> for ZSet<T> {
    fn from_iter<I: IntoIterator<Item = (T, i64)>>(entries: I) -> Self {
        let mut set = Self::default();
        set.extend(entries);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Vec<(u8, i64)>> {
        proptest::collection::vec((0u8..6, -3i64..4), 0..20)
    }

    fn sum(entries: &[(u8, i64)], element: u8) -> i64 {
        entries
            .iter()
            .filter(|(e, _)| *e == element)
            .map(|(_, w)| w)
            .sum()
    }

    proptest! {
        #[test]
        fn weights_add_up_whatever_the_order(changes in entries(), seed: u64) {
            let set: ZSet<u8> = changes.iter().copied().collect();
            let mut shuffled = changes.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
            let other: ZSet<u8> = shuffled.into_iter().collect();
            for element in 0..6 {
                prop_assert_eq!(set.weight(&element), sum(&changes, element));
                prop_assert_eq!(set.weight(&element), other.weight(&element));
            }
        }

        #[test]
        fn a_set_and_its_negation_cancel(changes in entries()) {
            let mut set: ZSet<u8> = changes.iter().copied().collect();
            set.extend(changes.iter().map(|(e, w)| (*e, -w)));
            prop_assert!(set.is_empty());
        }

        #[test]
        fn consolidating_parts_first_changes_nothing(changes in entries(), cut in 0usize..20) {
            let (a, b) = changes.split_at(cut.min(changes.len()));
            let mut parts: ZSet<u8> = a.iter().copied().collect::<ZSet<u8>>().into_entries().into_iter().collect();
            parts.extend(b.iter().copied().collect::<ZSet<u8>>().into_entries());
            let whole: ZSet<u8> = changes.iter().copied().collect();
            for element in 0..6 {
                prop_assert_eq!(parts.weight(&element), whole.weight(&element));
            }
            prop_assert!(whole.into_entries().iter().all(|(_, w)| *w != 0));
        }
    }
}
