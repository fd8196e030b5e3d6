//! SHOW, DESCRIBE and EXPLAIN, and the statements that are Flink's but not supported.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::ast::{DropKind, Show, StatementKind};
use super::failure::{STATEMENT_WORDS, fail, nearest};
use super::words::{eat, eat_one_of, expect, expected, here, last, object_name, upper_at};

type Parsed<T> = Result<T, ParserError>;

/// The error for a part of Flink SQL that is known and not supported.
pub(super) fn unsupported(span: Span, name: &str, help: &str) -> ParserError {
    fail(span, format!("flowline does not support {name} yet"), help)
}

/// What follows EXPLAIN: `PLAN FOR`, or details with commas between them, or nothing.
pub(super) fn explain_details(parser: &mut Parser) -> Parsed<()> {
    const DETAILS: &[&str] = &[
        "ESTIMATED_COST",
        "CHANGELOG_MODE",
        "JSON_EXECUTION_PLAN",
        "PLAN_ADVICE",
    ];
    if eat(parser, &["PLAN"]) {
        return expect(parser, &["FOR"]);
    }
    if eat_one_of(parser, DETAILS).is_some() {
        while parser.consume_token(&Token::Comma) {
            if eat_one_of(parser, DETAILS).is_none() {
                return expected(parser, &DETAILS.join(", "));
            }
        }
    }
    Ok(())
}

/// SHOW; it was just read.
pub(super) fn show(parser: &mut Parser) -> Parsed<StatementKind> {
    let start = last(parser);
    let Some(word) = upper_at(parser, 0) else {
        return expected(parser, "TABLES, VIEWS, CREATE TABLE, COLUMNS ...");
    };
    parser.advance_token();
    let show = match word.as_str() {
        "TABLES" => Show::Tables,
        "VIEWS" => Show::Views,
        "FUNCTIONS" => Show::Functions,
        "DATABASES" => Show::Databases,
        "CATALOGS" => Show::Catalogs,
        "COLUMNS" => {
            if eat_one_of(parser, &["FROM", "IN"]).is_none() {
                return expected(parser, "FROM");
            }
            Show::Columns(object_name(parser, "a table name")?)
        }
        "CREATE" if eat(parser, &["TABLE"]) => {
            Show::Create(DropKind::Table, object_name(parser, "a table name")?)
        }
        "CREATE" if eat(parser, &["VIEW"]) => {
            Show::Create(DropKind::View, object_name(parser, "a view name")?)
        }
        "CREATE" | "CURRENT" | "USER" => {
            let what = upper_at(parser, 0).unwrap_or_default();
            let place = start.union(&here(parser));
            return Err(unsupported(
                place,
                &format!("SHOW {word} {what}"),
                "SHOW TABLES, VIEWS, FUNCTIONS, COLUMNS FROM and CREATE TABLE are supported",
            ));
        }
        "JARS" | "JOBS" | "MODULES" | "FULL" | "PARTITIONS" | "PROCEDURES" | "MODELS"
        | "CONNECTIONS" | "MATERIALIZED" => {
            let place = start.union(&last(parser));
            return Err(unsupported(
                place,
                &format!("SHOW {word}"),
                "SHOW TABLES, VIEWS, FUNCTIONS, COLUMNS FROM and CREATE TABLE are supported",
            ));
        }
        _ => {
            let known = [
                "TABLES",
                "VIEWS",
                "FUNCTIONS",
                "DATABASES",
                "CATALOGS",
                "COLUMNS",
                "CREATE",
            ];
            let help = nearest(&word, &known)
                .map_or("write SHOW TABLES".into(), |w| format!("write SHOW {w}"));
            return Err(fail(last(parser), format!("cannot SHOW {word}"), help));
        }
    };
    if let Some(word @ ("FROM" | "IN" | "LIKE" | "ILIKE" | "NOT")) = upper_at(parser, 0).as_deref()
    {
        return Err(unsupported(
            here(parser),
            &format!("SHOW with {word}"),
            "remove the filter",
        ));
    }
    Ok(StatementKind::Show(show))
}

/// DESCRIBE or DESC; it was just read.
pub(super) fn describe(parser: &mut Parser) -> Parsed<StatementKind> {
    let start = last(parser);
    if let Some(
        word @ ("EXTENDED" | "CATALOG" | "DATABASE" | "FUNCTION" | "MODEL" | "JOB" | "CONNECTION"),
    ) = upper_at(parser, 0).as_deref()
        && matches!(
            parser.peek_nth_token_ref(1).token,
            Token::Word(_) | Token::SingleQuotedString(_)
        )
    {
        let help = "write DESCRIBE and the name of a table or view";
        return Err(unsupported(
            start.union(&here(parser)),
            &format!("DESCRIBE {word}"),
            help,
        ));
    }
    Ok(StatementKind::Describe(object_name(
        parser,
        "a table name",
    )?))
}

/// The error for a first word that is Flink's but not supported, or not a statement at all.
pub(super) fn refused(parser: &Parser, word: &str, span: Span) -> ParserError {
    let second = upper_at(parser, 0).unwrap_or_default();
    let both = || span.union(&here(parser));
    let (name, help): (String, &str) = match (word, second.as_str()) {
        ("USE", "CATALOG" | "MODULES") => {
            (format!("USE {second}"), "remove it; there is one catalog")
        }
        ("USE", _) => ("USE".into(), "remove it; there is one database"),
        ("LOAD" | "UNLOAD", "MODULE") => (
            format!("{word} MODULE"),
            "remove it; the built-in functions are always there",
        ),
        ("ADD" | "REMOVE", "JAR") => (
            format!("{word} JAR"),
            "remove it; connectors and formats are built in",
        ),
        ("UPDATE", _) => (
            "UPDATE".into(),
            "write the changed rows with INSERT INTO a table with a primary key",
        ),
        ("DELETE", _) => (
            "DELETE".into(),
            "rows leave a table when the query after it retracts them",
        ),
        ("TRUNCATE", _) => (
            "TRUNCATE TABLE".into(),
            "DROP the table and CREATE it again",
        ),
        ("ANALYZE", _) => (
            "ANALYZE TABLE".into(),
            "remove it; plans need no statistics",
        ),
        ("CALL", _) => ("CALL".into(), "there are no procedures"),
        ("STOP", "JOB") => ("STOP JOB".into(), "stop the job from the command line"),
        ("COMPILE", _) => ("COMPILE PLAN".into(), "run the statements themselves"),
        ("MERGE", _) => (
            "MERGE".into(),
            "write INSERT INTO a table with a primary key",
        ),
        _ => {
            let help = match nearest(word, STATEMENT_WORDS) {
                Some("INSERT") => "did you mean INSERT INTO?".into(),
                Some(near) => format!("did you mean {near}?"),
                None => "begin with CREATE, INSERT INTO, SELECT, SET ...".into(),
            };
            return fail(span, format!("no statement begins with {word}"), help);
        }
    };
    let span = if name.contains(' ') && !second.is_empty() {
        both()
    } else {
        span
    };
    unsupported(span, &name, help)
}
