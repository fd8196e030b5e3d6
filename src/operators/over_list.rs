//! The rows of a partition that come and go, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use hashbrown::HashMap;

use crate::state::Slot;

/// Where a row stands: its sort key, then the number of its arrival.
pub type Place = (Box<[u8]>, i64);

/// The rows of a partition of an OVER in order.
#[derive(Default)]
pub struct List {
    /// All rows.
    pub rows: BTreeMap<Place, Slot>,
    /// The numbers of arrival of equal rows.
    arrivals: HashMap<Box<[u8]>, BTreeSet<i64>>,
    /// Rows after which it is known what calls have accumulated: how many rows there are up to it, and where it is kept.
    pub marks: BTreeMap<Place, (usize, Slot)>,
}

/// A partition that a batch changes.
pub struct Changed {
    /// The partition.
    pub partition: Slot,
    /// The first place at which anything changes.
    pub from: Option<Place>,
    /// The rows that were there from that place on: the last ones first, in pieces.
    pub before: Vec<Vec<Slot>>,
}

impl List {
    /// Adds a row.
    pub fn insert(&mut self, place: Place, value: &[u8], slot: Slot) {
        match self.arrivals.get_mut(value) {
            Some(numbers) => _ = numbers.insert(place.1),
            None => {
                _ = self
                    .arrivals
                    .insert(value.into(), BTreeSet::from([place.1]))
            }
        }
        self.rows.insert(place, slot);
    }

    /// The place of the earliest row of this value.
    pub fn earliest(&self, order: &[u8], value: &[u8]) -> Option<Place> {
        let first = self.arrivals.get(value)?.first()?;
        Some((order.into(), *first))
    }

    /// Takes out the row at a place.
    pub fn remove(&mut self, place: &Place, value: &[u8]) -> Option<Slot> {
        let numbers = self.arrivals.get_mut(value)?;
        numbers.remove(&place.1);
        if numbers.is_empty() {
            self.arrivals.remove(value);
        }
        self.rows.remove(place)
    }
}

impl Changed {
    /// A row comes or goes at this place.
    pub fn begin(&mut self, list: &List, place: &Place, by_peers: bool) {
        let place = match by_peers {
            true => (place.0.clone(), i64::MIN),
            false => place.clone(),
        };
        let up_to = match &self.from {
            Some(from) if *from <= place => return,
            Some(from) => Bound::Excluded(from),
            None => Bound::Unbounded,
        };
        let rows = list.rows.range((Bound::Included(&place), up_to));
        self.before.push(rows.map(|(_, slot)| *slot).collect());
        self.from = Some(place);
    }
}
