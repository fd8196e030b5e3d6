//! Expressions over rows, and which row it was where one fails.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExpr;

use super::late::as_json;
use crate::error::{Error, Result};
use crate::graph::sql::Sql;

/// The longest part of a row that an error shows, in characters.
const SHOWN: usize = 400;

/// The values of an expression, one for each row.
///
/// # Errors
/// Where it fails on a row: the error shows the row.
pub fn values(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef> {
    let evaluated = expr
        .evaluate(rows)
        .and_then(|v| v.into_array(rows.num_rows()));
    evaluated.map_err(|whole| {
        // Row by row, to find the one: this happens once, and the job ends.
        for i in 0..rows.num_rows() {
            let row = rows.slice(i, 1);
            if let Err(own) = expr.evaluate(&row) {
                let text = Sql::physical(expr, &|column| Sql::atom(column.name()));
                return failed(own, &text, &row);
            }
        }
        Error::from(whole)
    })
}

/// An expression has failed on a row.
pub fn failed(error: DataFusionError, text: &Sql, row: &RecordBatch) -> Error {
    let shown = as_json(row).map(|json| json.value(0).to_string());
    let shown = shown.unwrap_or_default();
    let cut: String = shown.chars().take(SHOWN).collect();
    let dots = if cut.len() < shown.len() { " ..." } else { "" };
    let mut error = Error::from(error);
    let text: String = text.text().chars().take(SHOWN).collect();
    error.message = format!("{}, in {text}", error.message);
    if !shown.is_empty() && shown != "{}" {
        error.message += &format!("; the row has {cut}{dots}");
    }
    error
}

/// The rows for which a condition holds; `what` names it in an error.
///
/// # Errors
/// Where it fails on a row.
pub fn mask(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch, what: &str) -> Result<BooleanArray> {
    let values = values(expr, rows)?;
    match values.as_boolean_opt() {
        Some(mask) => Ok(mask.clone()),
        None => Err(Error::internal(format!("{what} {expr} is no BOOLEAN"))),
    }
}
