//! What an operator emits of an updating stream: rows in state form with weights, consolidated.

use arrow::row::OwnedRow;

use crate::changelog::{Batch, ZSet};
use crate::error::Result;
use crate::state::RowCodec;

/// Changes collected while a batch is processed.
#[derive(Debug, Default)]
pub struct Changed {
    rows: ZSet<OwnedRow>,
}

impl Changed {
    /// A row comes (+) or goes (-).
    pub fn add(&mut self, row: OwnedRow, weight: i64) {
        self.rows.add(row, weight);
    }

    /// Takes the changes out: what goes before what comes, each in the order of its first mention.
    ///
    /// # Errors
    /// Where a row is not of the codec's schema.
    pub fn take(&mut self, codec: &RowCodec) -> Result<Batch> {
        let mut entries = std::mem::take(&mut self.rows).into_entries();
        entries.sort_by_key(|(_, w)| *w > 0);
        let rows = codec.decode(entries.iter().map(|(row, _)| row))?;
        Ok(Batch::changes(
            rows,
            entries.into_iter().map(|(_, w)| w).collect(),
        ))
    }
}
