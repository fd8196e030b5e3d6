//! Keyed state: tables, key groups, expiry, and what an operator hands over in a snapshot.
//!
//! A snapshot has one part or more for each of an operator's tables, also where there is nothing to say. A part is the whole table, or
//! follows on those of the same table in earlier snapshots; [`merge`] makes one table of them again.

mod columns;
mod key_groups;
mod lists;
mod merge;
mod pages;
mod rows;
mod snapshot;
mod table;
mod ttl;

pub use key_groups::{KEY_GROUPS, KeyGroups, KeyHasher, instance_of};
pub use lists::Lists;
pub use merge::merge;
pub use pages::{NONE, Slot};
pub use rows::{with_numbers, without_numbers};
pub use snapshot::{KeptView, StateChanges, StatePart, TableSnapshot, TableView};
pub use table::{Keys, Table, Touched};
pub use ttl::StateTtl;
