//! Lists of the rows of a table.

use super::pages::{NONE, Slot};

/// For each row of a table that owns any, the rows of another table (or the same) that it owns, in the order in which they came.
#[derive(Debug, Default)]
pub struct Lists {
    /// The first row of each owner.
    first: Vec<Slot>,
    links: Vec<Link>,
}

/// The neighbours of a row. What is before the first of a list is its last.
#[derive(Debug, Clone, Copy)]
struct Link {
    owner: Slot,
    before: Slot,
    after: Slot,
}

const NOBODY: Link = Link {
    owner: NONE,
    before: NONE,
    after: NONE,
};

impl Lists {
    /// Adds a row, which is in no list, at the end of that of `owner`.
    pub fn push(&mut self, owner: Slot, row: Slot) {
        let (at, place) = (row as usize, owner as usize);
        if self.first.len() <= place {
            self.first.resize(place + 1, NONE);
        }
        if self.links.len() <= at {
            self.links.resize(at + 1, NOBODY);
        }
        let last = match self.first[place] {
            NONE => {
                self.first[place] = row;
                row
            }
            first => {
                let last = std::mem::replace(&mut self.links[first as usize].before, row);
                self.links[last as usize].after = row;
                last
            }
        };
        self.links[at] = Link {
            owner,
            before: last,
            after: NONE,
        };
    }

    /// Takes a row out of its list; returns whose that was.
    pub fn remove(&mut self, row: Slot) -> Option<Slot> {
        let link = self.links.get_mut(row as usize)?;
        let Link {
            owner,
            before,
            after,
        } = std::mem::replace(link, NOBODY);
        if owner == NONE {
            return None;
        }
        let first = &mut self.first[owner as usize];
        match *first == row {
            true => *first = after,
            false => self.links[before as usize].after = after,
        }
        let next = if after == NONE { *first } else { after };
        if next != NONE {
            self.links[next as usize].before = before;
        }
        Some(owner)
    }

    /// In whose list a row is.
    pub fn owner(&self, row: Slot) -> Option<Slot> {
        let owner = self.links.get(row as usize)?.owner;
        (owner != NONE).then_some(owner)
    }

    /// The rows of `owner`.
    pub fn of(&self, owner: Slot) -> impl Iterator<Item = Slot> {
        let is_there = |slot: &Slot| *slot != NONE;
        let first = self.first.get(owner as usize).copied();
        let after = move |row: &Slot| Some(self.links[*row as usize].after).filter(is_there);
        std::iter::successors(first.filter(is_there), after)
    }

    /// The first row of `owner`.
    pub fn first(&self, owner: Slot) -> Option<Slot> {
        self.of(owner).next()
    }

    /// Whether `owner` has no rows.
    pub fn is_empty(&self, owner: Slot) -> bool {
        self.first(owner).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_stay_in_the_order_in_which_they_came(
            steps in proptest::collection::vec((0u32..3, 0u32..12), 0..200),
        ) {
            let mut lists = Lists::default();
            let mut expected: [Vec<Slot>; 3] = Default::default();
            for (owner, row) in steps {
                let known = (0..3).find(|o| expected[*o as usize].contains(&row));
                prop_assert_eq!(lists.owner(row), known);
                prop_assert_eq!(lists.remove(row), known);
                match known {
                    Some(known) => expected[known as usize].retain(|r| *r != row),
                    None => {
                        lists.push(owner, row);
                        expected[owner as usize].push(row);
                    }
                }
                for (owner, rows) in (0..).zip(&expected) {
                    prop_assert_eq!(&lists.of(owner).collect::<Vec<_>>(), rows);
                    prop_assert_eq!(lists.is_empty(owner), rows.is_empty());
                }
            }
        }
    }
}
