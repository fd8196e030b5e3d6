//! What has no cast.

use std::fmt::Display;

use super::types::Type;

/// The rows of a batch whose values have no cast, and why.
#[derive(Debug)]
pub(super) struct Failures {
    told: bool,
    all: Vec<(usize, String)>,
}

impl Failures {
    /// With reasons, or without, if nobody is told of them.
    pub(super) fn new(told: bool) -> Self {
        let all = Vec::new();
        Self { told, all }
    }

    /// Empty ones for the parts of arrays, maps and rows.
    pub(super) fn within(&self) -> Self {
        Self::new(self.told)
    }

    /// A row has no cast. Its value in the result does not matter then.
    pub(super) fn add(&mut self, row: usize, value: impl Display, to: &Type) {
        let reason = if self.told {
            format!("{value} cannot be cast to {to}")
        } else {
            String::new()
        };
        self.all.push((row, reason));
    }

    /// The same for a row that holds the part which has no cast.
    pub(super) fn pass_on(&mut self, row: usize, reason: String) {
        self.all.push((row, reason));
    }

    pub(super) fn first(&self) -> Option<&(usize, String)> {
        self.all.iter().min_by_key(|(row, _)| row)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.all.iter().map(|(row, _)| *row)
    }

    pub(super) fn into_all(self) -> Vec<(usize, String)> {
        self.all
    }
}
