//! One row a key before a sink whose key is not the query's: of several rows the last or the first, or an error (Flink:
//! SinkUpsertMaterializer and ON CONFLICT).

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::ranking::Ranking;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Conflict, Rank, RankFunction, RankTime};
use crate::state::{StatePart, StateTtl, TableSnapshot};
use crate::time::Watermark;

/// Keeps all rows of every key, ranked by arrival, and shows the last or the first.
pub struct UpsertMaterialize {
    rows: Ranking,
    key: Vec<String>,
    conflict: Conflict,
}

impl UpsertMaterialize {
    /// No keys yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        key: Vec<usize>,
        conflict: Conflict,
        ttl: Option<StateTtl>,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let names = key.iter().map(|c| schema.field(*c).name().clone());
        let names = names.collect();
        let rank = Rank {
            function: RankFunction::RowNumber,
            partition: key,
            order: Vec::new(),
            from: 1,
            to: 1,
            with_rank: false,
            time: RankTime::Updating,
            retracts: true,
            last_first: conflict != Conflict::Nothing,
            ttl,
        };
        Ok(Self {
            rows: Ranking::new(&Arc::new(rank), schema, schema)?,
            key: names,
            conflict,
        })
    }

    fn conflict_error(&self, key: &[ArrayRef]) -> Result<Error> {
        let options = FormatOptions::default().with_null("NULL");
        let mut shown = Vec::new();
        for (name, column) in self.key.iter().zip(key) {
            let value = ArrayFormatter::try_new(column, &options)?;
            shown.push(format!("{name} = {}", value.value(0)));
        }
        Ok(Error::data(format!(
            "Primary key constraint violation: more than one row for the key ({}) of the sink",
            shown.join(", ")
        ))
        .with_help("the INSERT says ON CONFLICT DO ERROR; DO DEDUPLICATE keeps the last row, DO NOTHING the first"))
    }
}

impl Operator for UpsertMaterialize {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let changed = self.rows.apply(&batch)?;
        if self.conflict == Conflict::Error {
            let mut several = changed.iter().map(|changed| changed.partition);
            if let Some(key) = several.find(|key| self.rows.kept_of(*key) > 1) {
                return Err(self.conflict_error(&self.rows.keys(&[key])?)?);
            }
        }
        if !changed.is_empty() {
            out.batch(self.rows.difference(&changed)?);
        }
        self.rows.tidy(&changed)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            self.rows.on_watermark(time)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.rows.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.rows.on_clock(now)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.rows.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.rows.restore(&parts)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn of_equal_rows_the_earliest_goes_and_what_is_not_there_does_not() {
        let schema = schema(&["k", "v"]);
        let make = |conflict| UpsertMaterialize::new(vec![0], conflict, None, &schema).unwrap();
        let mut first = make(Conflict::Nothing);
        let mut last = make(Conflict::Deduplicate);
        let all = || {
            weighted(
                rows(&schema, &[[1, 5], [1, 7], [1, 5], [1, 8]]),
                &[1, 1, 1, 0],
            )
        };
        assert_eq!(feed(&mut first, 0, all()), [(vec![1, 5], 1)]);
        assert_eq!(feed(&mut last, 0, all()), [(vec![1, 5], 1)]);
        // Of 5, 7, 5 the first goes; what nobody sent does not.
        let gone = || weighted(rows(&schema, &[[1, 9], [1, 5], [2, 5]]), &[-1, -1, -1]);
        let moved = [(vec![1, 5], -1), (vec![1, 7], 1)];
        assert_eq!(feed(&mut first, 0, gone()), moved);
        assert_eq!(feed(&mut last, 0, gone()), []);
        let gone = || weighted(rows(&schema, &[[1, 5]]), &[-3]);
        assert_eq!(feed(&mut first, 0, gone()), []);
        assert_eq!(feed(&mut last, 0, gone()), moved);
    }

    #[test]
    fn a_second_row_of_a_key_is_an_error_where_that_is_asked_for() {
        let schema = schema(&["k", "v"]);
        let mut op = UpsertMaterialize::new(vec![0], Conflict::Error, None, &schema).unwrap();
        feed(&mut op, 0, rows(&schema, &[[1, 5], [2, 5]]));
        let moved = weighted(rows(&schema, &[[1, 6], [1, 5]]), &[1, -1]);
        assert_eq!(
            feed(&mut op, 0, moved),
            [(vec![1, 5], -1), (vec![1, 6], 1)],
            "only what is there after a batch counts"
        );
        let second = rows(&schema, &[[2, 6]]);
        let error = op.on_batch(0, second, &mut Output::default()).unwrap_err();
        assert!(error.message.contains("the key (k = 2)"), "{error:?}");
    }
}
