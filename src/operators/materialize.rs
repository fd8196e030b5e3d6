//! One row a key before a sink whose key is not the query's: of several rows the last or the first, or an error (Flink:
//! SinkUpsertMaterializer and ON CONFLICT).

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::rank::TopN;
use super::ranking::{Changed, Ranking};
use crate::error::{Error, Result};
use crate::graph::{Conflict, Rank, RankFunction, RankTime};
use crate::state::StateTtl;

/// Keeps all rows of every key, ranked by arrival, and shows the last or the first.
///
/// # Errors
/// Where a column type cannot be kept as state.
pub fn upsert_materialize(
    key: Vec<usize>,
    conflict: Conflict,
    ttl: Option<StateTtl>,
    schema: &SchemaRef,
) -> Result<TopN> {
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
    let mut rows = TopN::new(&Arc::new(rank), schema, schema)?;
    rows.check = (conflict == Conflict::Error).then_some(one_each);
    Ok(rows)
}

/// That no key has more than one row after a batch.
fn one_each(rows: &Ranking, changed: &[Changed]) -> Result<()> {
    let mut changed = changed.iter().map(|changed| changed.partition);
    let Some(several) = changed.find(|key| rows.kept.list(*key).rows.len() > 1) else {
        return Ok(());
    };
    let options = FormatOptions::default().with_null("NULL");
    let mut shown = Vec::new();
    for (name, column) in rows
        .partition_names()
        .zip(rows.kept.partitions.keys(&[several])?)
    {
        let value = ArrayFormatter::try_new(&column, &options)?;
        shown.push(format!("{name} = {}", value.value(0)));
    }
    Err(Error::data(format!(
        "Primary key constraint violation: more than one row for the key ({}) of the sink",
        shown.join(", ")
    ))
    .with_help("the INSERT says ON CONFLICT DO ERROR; DO DEDUPLICATE keeps the last row, DO NOTHING the first"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::*;
    use super::super::{Operator, Output};
    use super::*;

    #[test]
    fn of_equal_rows_the_earliest_goes_and_what_is_not_there_does_not() {
        let schema = schema(&["k", "v"]);
        let make = |conflict| upsert_materialize(vec![0], conflict, None, &schema).unwrap();
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
        let mut op = upsert_materialize(vec![0], Conflict::Error, None, &schema).unwrap();
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
