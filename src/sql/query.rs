//! A query within a statement.

use sqlparser::ast::{Query, SetExpr};
use sqlparser::parser::{Parser, ParserError};

use super::failure::fail;
use super::words::{expected, here, starts_query};

/// A query, and nothing that sqlparser also takes for one.
pub(super) fn query(parser: &mut Parser) -> Result<Box<Query>, ParserError> {
    let span = here(parser);
    if !starts_query(&parser.peek_token_ref().token) {
        return expected(parser, "SELECT, WITH, VALUES or TABLE");
    }
    let query = parser.parse_query()?;
    match query.body.as_ref() {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            let help = "write INSERT INTO first and the WITH after it";
            Err(fail(
                span,
                "WITH does not stand before a change of a table",
                help,
            ))
        }
        _ if !query.locks.is_empty() || query.for_clause.is_some() => Err(fail(
            span,
            "Flink SQL queries have no FOR clause at the end",
            "remove it",
        )),
        _ => Ok(query),
    }
}
