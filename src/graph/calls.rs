//! Calls of aggregate and OVER functions as SQL.

use super::calc::over;
use super::sql::{Sql, comma_separated};
use super::{AggregateCall, OverFunction, RankFunction};

/// A call of an aggregate function.
pub(super) fn call_text(call: &AggregateCall, input: &[String]) -> Sql {
    let args = call.function.expressions();
    let args: Vec<Sql> = args.iter().map(|e| over(e, input)).collect();
    Sql::aggregate(
        call.function.fun().name(),
        call.distinct || call.function.is_distinct(),
        &args,
        call.filter.as_ref().map(|f| over(f, input)).as_ref(),
    )
}

/// A call of an OVER.
pub(super) fn over_call(call: &OverFunction, input: &[String]) -> String {
    match call {
        OverFunction::Aggregate(a) => call_text(a, input).text().to_string(),
        OverFunction::Lag {
            value,
            offset,
            default,
        } => {
            let mut args = vec![over(value, input)];
            if *offset != 1 || default.is_some() {
                args.push(Sql::atom(offset.to_string()));
            }
            args.extend(default.iter().map(|d| over(d, input)));
            format!("LAG({})", comma_separated(&args))
        }
        OverFunction::Rank(function) => format!("{}()", rank_name(*function)),
    }
}

/// The function's name, without its parentheses.
pub(super) fn rank_name(function: RankFunction) -> &'static str {
    match function {
        RankFunction::RowNumber => "ROW_NUMBER",
        RankFunction::Rank => "RANK",
        RankFunction::DenseRank => "DENSE_RANK",
    }
}
