//! Flink's dialect for sqlparser: what an identifier is, what may follow what, and the hooks for Flink's own expressions.

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::reserved::is_reserved;
use super::{precedence, special};

/// Flink SQL for sqlparser's tokenizer and parser.
///
/// Names are case-sensitive and quoted with backticks only; strings with single quotes, doubled inside. What sqlparser
/// has no syntax for is parsed in the hooks and encoded in its AST like this:
///
/// * A table argument `TABLE x` is `Expr::Subquery` of `SELECT * FROM x`; `TABLE x PARTITION BY a, b` (also in
///   parentheses, also after a subquery) has the keys in that `Select.distribute_by`. `table_argument` reads both.
/// * `FROM TABLE(f(...))` is `TableFactor::TableFunction`, `FROM f(...)` (also UNNEST) is `TableFactor::Table` with
///   `args`, `LATERAL TABLE(f(...))` is `TableFactor::Function` named TABLE around the call; `table_function_call` reads all three.
/// * `/*+ OPTIONS('k'='v') */` after a table is `OPTIONS('k' = 'v')` in `TableFactor::Table.with_hints`.
/// * `PATTERN (...) WITHIN i` is one more symbol in the DEFINE list; `match_within` finds it.
/// * Intervals: see the module `interval`. Types in CAST and TRY_CAST: see the module `types`.
/// * `MAP[k, v, ...]` is `Expr::Map`. `MODEL m` as an argument is the function call `MODEL(m)`.
/// * `FLOOR(x TO HOUR)` is `FLOOR(x, 'HOUR')`, the same for CEIL and CEILING; without TO they stay `Expr::Floor` and `Expr::Ceil`.
/// * `TIMESTAMPDIFF(MINUTE, a, b)` is `TIMESTAMPDIFF('MINUTE', a, b)`, the same for TIMESTAMPADD.
/// * `JSON_VALUE(j, p ...)` with any clause is `JSON_VALUE(j, p, 'RETURNING <type>', '<NULL|ERROR|DEFAULT> ON EMPTY',
///   <default or NULL>, '<NULL|ERROR|DEFAULT> ON ERROR', <default or NULL>)`, unwritten clauses as Flink's defaults
///   (RETURNING STRING, NULL).
/// * `JSON_QUERY(j, p ...)` with any clause is `JSON_QUERY(j, p, 'RETURNING <type>', '<WITHOUT ARRAY WRAPPER | WITH
///   UNCONDITIONAL ARRAY WRAPPER | WITH CONDITIONAL ARRAY WRAPPER>', '<NULL|EMPTY ARRAY|EMPTY OBJECT|ERROR> ON EMPTY',
///   '<...> ON ERROR')`.
/// * `JSON_EXISTS(j, p FALSE ON ERROR)` is `JSON_EXISTS(j, p, 'FALSE ON ERROR')`.
/// * `JSON_OBJECT(KEY k VALUE v, ...)` is `JSON_OBJECT('NULL ON NULL', k, v, ...)`, `JSON_ARRAY(a, ...)` is
///   `JSON_ARRAY('ABSENT ON NULL', a, ...)`, `JSON_OBJECTAGG(KEY k VALUE v)` is `JSON_OBJECTAGG('NULL ON NULL', k, v)`,
///   `JSON_ARRAYAGG(a)` is `JSON_ARRAYAGG('ABSENT ON NULL', a)`: the first argument says NULL or ABSENT.
/// * `x IS [NOT] JSON [VALUE|SCALAR|ARRAY|OBJECT]` is `[NOT] IS_JSON(x, 'VALUE')`.
/// * `x BETWEEN SYMMETRIC a AND b` is `(x BETWEEN a AND b OR x BETWEEN b AND a)`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FlinkDialect;

impl Dialect for FlinkDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_' || ch == '$'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_string_literal_concatenation_with_newline(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn is_reserved_for_identifier(&self, kw: Keyword) -> bool {
        matches!(
            kw,
            Keyword::EXISTS | Keyword::INTERVAL | Keyword::TRIM | Keyword::CASE | Keyword::CAST
        )
    }

    fn is_column_alias(&self, _kw: &Keyword, parser: &mut Parser) -> bool {
        may_be_alias(parser)
    }

    fn is_select_item_alias(&self, _explicit: bool, _kw: &Keyword, parser: &mut Parser) -> bool {
        may_be_alias(parser)
    }

    fn is_table_alias(&self, _kw: &Keyword, parser: &mut Parser) -> bool {
        may_be_alias(parser)
    }

    fn is_table_factor_alias(&self, _explicit: bool, _kw: &Keyword, parser: &mut Parser) -> bool {
        may_be_alias(parser)
    }

    fn prec_value(&self, prec: Precedence) -> u8 {
        precedence::of(prec)
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        special::prefix(parser).transpose()
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        special::infix(parser, expr).transpose()
    }
}

/// True if the word just read can name a column or a table; sqlparser asks after it has read it.
fn may_be_alias(parser: &Parser) -> bool {
    match &parser.get_current_token().token {
        // Not the name of a table and its columns: it is refused by name.
        Token::Word(word)
            if matches!(word.keyword, Keyword::PIVOT | Keyword::UNPIVOT)
                && parser.peek_token_ref().token == Token::LParen =>
        {
            false
        }
        Token::Word(word) => word.quote_style.is_some() || !is_reserved(&word.value),
        _ => true,
    }
}
