//! CREATE, DROP and ALTER of tables and views.

use sqlparser::ast::{Ident, ObjectName};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::ast::{
    AlterTable, Column, ColumnKind, CreateTable, CreateView, Drop, DropKind, Like, LikeChoice,
    LikeFeature, LikeStrategy, PrimaryKey, Spanned, StatementKind, TableOption, Watermark,
};
use super::failure::{fail, nearest};
use super::query::query;
use super::types::parse_data_type;
use super::utility::unsupported;
use super::words::{
    at_end, eat, eat_one_of, expect, expected, here, identifier, identifier_list, last,
    object_name, peek_words, string_literal, upper_at,
};

type Parsed<T> = Result<T, ParserError>;

/// CREATE; it was just read. Mistakes inside a column list go to `errors`, so that all of them are found.
pub(super) fn create(parser: &mut Parser, errors: &mut Vec<ParserError>) -> Parsed<StatementKind> {
    let start = last(parser);
    if eat(parser, &["OR"]) {
        let how = eat_one_of(parser, &["REPLACE", "ALTER"]).unwrap_or("REPLACE");
        eat(parser, &["TEMPORARY"]);
        eat(parser, &["MATERIALIZED"]);
        let what = upper_at(parser, 0).unwrap_or_default();
        return Err(unsupported(
            start.union(&last(parser)),
            &format!("CREATE OR {how} {what}"),
            &format!("write DROP {what} IF EXISTS and CREATE {what}"),
        ));
    }
    let temporary = eat(parser, &["TEMPORARY"]);
    if eat(parser, &["TABLE"]) {
        return create_table(parser, temporary, errors);
    }
    if eat(parser, &["VIEW"]) {
        return create_view(parser, temporary);
    }
    let place = |parser: &Parser| start.union(&last(parser));
    eat(parser, &["SYSTEM"]);
    let (name, help) = match upper_at(parser, 0).as_deref() {
        Some("FUNCTION") => ("CREATE FUNCTION", "use the built-in functions"),
        Some("CATALOG") => ("CREATE CATALOG", "remove it; there is one catalog"),
        Some("DATABASE") => ("CREATE DATABASE", "remove it; there is one database"),
        Some("MODEL") => ("CREATE MODEL", "call the model outside of SQL"),
        Some("CONNECTION") => ("CREATE CONNECTION", "write the options in the table's WITH"),
        Some("MATERIALIZED") => {
            eat(parser, &["MATERIALIZED"]);
            (
                "CREATE MATERIALIZED TABLE",
                "write CREATE TABLE and INSERT INTO",
            )
        }
        Some(word) => {
            let kinds = [
                "TABLE",
                "VIEW",
                "TEMPORARY",
                "FUNCTION",
                "CATALOG",
                "DATABASE",
                "MODEL",
                "MATERIALIZED",
            ];
            let help = nearest(word, &kinds)
                .map_or("write CREATE TABLE or CREATE VIEW".into(), |w| {
                    format!("write CREATE {w}")
                });
            return Err(fail(here(parser), format!("cannot CREATE {word}"), help));
        }
        None => return expected(parser, "TABLE or VIEW"),
    };
    parser.advance_token();
    Err(unsupported(place(parser), name, help))
}

/// What is collected from a table's parenthesised list.
#[derive(Default)]
struct Elements {
    columns: Vec<Column>,
    watermark: Option<Watermark>,
    primary_key: Option<PrimaryKey>,
}

fn create_table(
    parser: &mut Parser,
    temporary: bool,
    errors: &mut Vec<ParserError>,
) -> Parsed<StatementKind> {
    let if_not_exists = eat(parser, &["IF", "NOT", "EXISTS"]);
    let name = object_name(parser, "a table name")?;
    let mut elements = Elements::default();
    if parser.consume_token(&Token::LParen) {
        table_elements(parser, &mut elements, errors)?;
    }
    let sound = errors.is_empty();
    let comment = comment(parser)?;
    if peek_words(parser, &["DISTRIBUTED"]) {
        return Err(unsupported(
            here(parser),
            "DISTRIBUTED",
            "remove the clause; the connector distributes the rows",
        ));
    }
    let mut partitioned_by = Vec::new();
    if eat(parser, &["PARTITIONED", "BY"]) {
        partitioned_by = identifier_list(parser, "a column name")?;
        for column in partitioned_by.iter().filter(|_| sound) {
            known_column(column, &elements.columns, "PARTITIONED BY", errors);
        }
    }
    let options = if eat(parser, &["WITH"]) {
        option_list(parser, errors)?
    } else {
        Vec::new()
    };
    let like = if eat(parser, &["LIKE"]) {
        Some(like(parser)?)
    } else {
        None
    };
    if peek_words(parser, &["AS"]) {
        return Err(unsupported(
            here(parser),
            "CREATE TABLE ... AS SELECT",
            "write CREATE TABLE with its columns, then INSERT INTO ... SELECT",
        ));
    }
    if let Some(word @ ("COMMENT" | "PARTITIONED" | "WITH" | "DISTRIBUTED")) =
        upper_at(parser, 0).as_deref()
    {
        return Err(fail(
            here(parser),
            format!("{word} stands too late"),
            "the order is (columns) COMMENT, PARTITIONED BY, WITH, LIKE",
        ));
    }
    let keys = elements.primary_key.iter().flat_map(|key| &key.columns);
    // A table made LIKE another may speak of that table's columns; a broken column may be the one that is meant.
    if like.is_none() && sound {
        for column in keys {
            known_column(column, &elements.columns, "PRIMARY KEY", errors);
        }
        if let Some(watermark) = &elements.watermark {
            known_column(
                &watermark.column,
                &elements.columns,
                "WATERMARK FOR",
                errors,
            );
        }
    }
    let Elements {
        columns,
        watermark,
        primary_key,
    } = elements;
    Ok(StatementKind::CreateTable(CreateTable {
        temporary,
        if_not_exists,
        name,
        columns,
        watermark,
        primary_key,
        comment,
        partitioned_by,
        options,
        like,
    }))
}

fn known_column(column: &Ident, columns: &[Column], clause: &str, errors: &mut Vec<ParserError>) {
    if columns.is_empty() || columns.iter().any(|c| c.name.value == column.value) {
        return;
    }
    let names: Vec<String> = columns
        .iter()
        .map(|c| c.name.value.to_ascii_uppercase())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let near = nearest(&column.value, &names)
        .and_then(|near| {
            columns
                .iter()
                .find(|c| c.name.value.eq_ignore_ascii_case(near))
        })
        .map_or("name a column of the table".into(), |c| {
            format!("write `{}`", c.name.value)
        });
    errors.push(fail(
        column.span,
        format!("{clause} names the unknown column `{}`", column.value),
        near,
    ));
}

fn table_elements(
    parser: &mut Parser,
    elements: &mut Elements,
    errors: &mut Vec<ParserError>,
) -> Parsed<()> {
    if parser.consume_token(&Token::RParen) {
        return Ok(());
    }
    loop {
        if let Err(error) = table_element(parser, elements, errors) {
            // Every mistake of the list is wanted, so go on after the next comma of this list.
            errors.push(error);
            skip_element(parser);
        }
        let comma = parser.get_next_token().span;
        if parser.consume_token(&Token::Comma) {
            if parser.peek_token_ref().token == Token::RParen {
                errors.push(fail(
                    last(parser),
                    "trailing comma before )",
                    "remove the comma",
                ));
                parser.advance_token();
                return Ok(());
            }
            continue;
        }
        if parser.consume_token(&Token::RParen) {
            return Ok(());
        }
        if at_end(parser) {
            return expected(parser, ", or ) after the last column");
        }
        let found = parser.peek_token();
        let help = match found.token {
            Token::Word(_) => format!("is a comma missing before {}?", found.token),
            _ => "columns are separated by commas and the list ends with )".into(),
        };
        errors.push(fail(
            found.span,
            format!("expected , or ), found {}", found.token),
            help,
        ));
        // After a missing comma the rest is most likely a column of its own.
        if !matches!(found.token, Token::Word(_)) {
            skip_element(parser);
            if !parser.consume_token(&Token::Comma) && comma == parser.peek_token_ref().span {
                parser.advance_token();
            }
        }
    }
}

/// Moves on to the comma or parenthesis that ends this element of the list.
fn skip_element(parser: &mut Parser) {
    let mut depth = 0usize;
    loop {
        match parser.peek_token_ref().token {
            Token::EOF => return,
            Token::Comma if depth == 0 => return,
            Token::RParen if depth == 0 => return,
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        parser.advance_token();
    }
}

fn table_element(
    parser: &mut Parser,
    elements: &mut Elements,
    errors: &mut Vec<ParserError>,
) -> Parsed<()> {
    let start = here(parser);
    if eat(parser, &["WATERMARK"]) {
        expect(parser, &["FOR"])?;
        let column = identifier(parser, "a column name")?;
        expect(parser, &["AS"])?;
        let expr = parser.parse_expr()?;
        let span = start.union(&last(parser));
        if elements.watermark.is_some() {
            let help = "a table has one watermark; remove the other";
            errors.push(fail(span, "WATERMARK FOR stands twice", help));
        } else {
            elements.watermark = Some(Watermark { column, expr, span });
        }
        return Ok(());
    }
    if peek_words(parser, &["CONSTRAINT"]) || peek_words(parser, &["PRIMARY", "KEY"]) {
        if eat(parser, &["CONSTRAINT"]) {
            identifier(parser, "a constraint name")?;
        }
        if peek_words(parser, &["UNIQUE"]) {
            return Err(no_unique(parser));
        }
        expect(parser, &["PRIMARY", "KEY"])?;
        let columns = identifier_list(parser, "a column name")?;
        not_enforced(parser, start, errors)?;
        set_primary_key(
            elements,
            PrimaryKey {
                columns,
                span: start.union(&last(parser)),
            },
            errors,
        );
        return Ok(());
    }
    if peek_words(parser, &["UNIQUE"]) {
        return Err(no_unique(parser));
    }
    let name = identifier(parser, "a column name")?;
    if let Some(other) = elements.columns.iter().find(|c| c.name.value == name.value) {
        let line = other.name.span.start.line;
        errors.push(fail(
            name.span,
            format!("the column `{}` stands twice", name.value),
            format!("the first is on line {line}; rename or remove one"),
        ));
    }
    let kind = column_kind(parser, &name, elements, errors)?;
    let comment = comment(parser)?;
    elements.columns.push(Column {
        name,
        kind,
        comment,
        span: start.union(&last(parser)),
    });
    Ok(())
}

fn no_unique(parser: &Parser) -> ParserError {
    unsupported(
        here(parser),
        "UNIQUE",
        "remove it, or declare PRIMARY KEY (...) NOT ENFORCED",
    )
}

fn set_primary_key(elements: &mut Elements, key: PrimaryKey, errors: &mut Vec<ParserError>) {
    if elements.primary_key.is_some() {
        errors.push(fail(
            key.span,
            "PRIMARY KEY stands twice",
            "a table has one primary key; list all its columns in one PRIMARY KEY (a, b) NOT ENFORCED",
        ));
    } else {
        elements.primary_key = Some(key);
    }
}

fn not_enforced(parser: &mut Parser, start: Span, errors: &mut Vec<ParserError>) -> Parsed<()> {
    if eat(parser, &["NOT"]) {
        return expect(parser, &["ENFORCED"]);
    }
    let help = "write PRIMARY KEY (...) NOT ENFORCED: a stream's keys are declared, not checked";
    let span = start.union(&last(parser));
    let message = if eat(parser, &["ENFORCED"]) {
        "PRIMARY KEY cannot be ENFORCED"
    } else {
        "PRIMARY KEY lacks NOT ENFORCED"
    };
    errors.push(fail(span, message, help));
    Ok(())
}

fn column_kind(
    parser: &mut Parser,
    name: &Ident,
    elements: &mut Elements,
    errors: &mut Vec<ParserError>,
) -> Parsed<ColumnKind> {
    if eat(parser, &["AS"]) {
        return Ok(ColumnKind::Computed {
            expr: parser.parse_expr()?,
        });
    }
    if matches!(
        parser.peek_token_ref().token,
        Token::Comma | Token::RParen | Token::EOF
    ) {
        return Err(fail(
            name.span,
            format!("the column `{}` has no type", name.value),
            format!("write `{}` STRING, or the type it has", name.value),
        ));
    }
    let start = here(parser);
    let value = parse_data_type(parser)?;
    let data_type = Spanned {
        value,
        span: start.union(&last(parser)),
    };
    if eat(parser, &["METADATA"]) {
        let key = if eat(parser, &["FROM"]) {
            Some(string_literal(parser, "the metadata key")?.0)
        } else {
            None
        };
        let is_virtual = eat(parser, &["VIRTUAL"]);
        return Ok(ColumnKind::Metadata {
            data_type,
            key,
            is_virtual,
        });
    }
    let constraint = here(parser);
    if eat(parser, &["CONSTRAINT"]) {
        identifier(parser, "a constraint name")?;
        if !peek_words(parser, &["PRIMARY", "KEY"]) {
            return expected(parser, "PRIMARY KEY");
        }
    }
    if eat(parser, &["PRIMARY", "KEY"]) {
        not_enforced(parser, constraint, errors)?;
        let key = PrimaryKey {
            columns: vec![name.clone()],
            span: constraint.union(&last(parser)),
        };
        set_primary_key(elements, key, errors);
    }
    if peek_words(parser, &["UNIQUE"]) {
        return Err(no_unique(parser));
    }
    if peek_words(parser, &["DEFAULT"]) {
        return Err(fail(
            here(parser),
            "Flink SQL has no DEFAULT for columns",
            format!(
                "remove it, or compute the column: `{}` AS COALESCE(x, value)",
                name.value
            ),
        ));
    }
    const OF_OTHERS: &[&str] = &[
        "AUTO_INCREMENT",
        "AUTOINCREMENT",
        "GENERATED",
        "IDENTITY",
        "REFERENCES",
        "CHECK",
    ];
    if let Some(word) = OF_OTHERS.iter().find(|word| peek_words(parser, &[word])) {
        let message = format!("Flink SQL has no {word} for columns");
        return Err(fail(here(parser), message, "remove it"));
    }
    Ok(ColumnKind::Physical { data_type })
}

fn comment(parser: &mut Parser) -> Parsed<Option<String>> {
    if eat(parser, &["COMMENT"]) {
        return Ok(Some(string_literal(parser, "the comment")?.0));
    }
    Ok(None)
}

/// `('key' = 'value', ...)`; a key that stands twice is an error.
pub(super) fn option_list(
    parser: &mut Parser,
    errors: &mut Vec<ParserError>,
) -> Parsed<Vec<TableOption>> {
    let mut options: Vec<TableOption> = Vec::new();
    parser.expect_token(&Token::LParen)?;
    if parser.consume_token(&Token::RParen) {
        return Ok(options);
    }
    loop {
        match table_option(parser) {
            Ok(option) => {
                if let Some(other) = options.iter().find(|o| o.key.value == option.key.value) {
                    let line = other.key.span.start.line;
                    let help = format!("the first is on line {line}; remove one");
                    errors.push(fail(
                        option.key.span,
                        format!("the option '{}' stands twice", option.key.value),
                        help,
                    ));
                }
                options.push(option);
            }
            Err(error) => {
                errors.push(error);
                skip_element(parser);
            }
        }
        if parser.consume_token(&Token::Comma) {
            if parser.peek_token_ref().token == Token::RParen {
                errors.push(fail(
                    last(parser),
                    "trailing comma before )",
                    "remove the comma",
                ));
                parser.advance_token();
                return Ok(options);
            }
            continue;
        }
        if parser.consume_token(&Token::RParen) {
            return Ok(options);
        }
        let found = parser.peek_token();
        if !matches!(found.token, Token::SingleQuotedString(_)) {
            return expected(parser, ", or ) after an option");
        }
        let help = format!("is a comma missing before {}?", found.token);
        errors.push(fail(
            found.span,
            format!("expected , or ), found {}", found.token),
            help,
        ));
    }
}

fn table_option(parser: &mut Parser) -> Parsed<TableOption> {
    let (key, key_span) = string_literal(parser, "an option's key")?;
    if !parser.consume_token(&Token::Eq) {
        let help = format!("write '{key}' = 'value'");
        return Err(fail(
            key_span,
            format!("the option '{key}' lacks = and a value"),
            help,
        ));
    }
    let (value, value_span) = string_literal(parser, "an option's value")?;
    Ok(TableOption {
        key: Spanned {
            value: key,
            span: key_span,
        },
        value: Spanned {
            value,
            span: value_span,
        },
    })
}

fn like(parser: &mut Parser) -> Parsed<Like> {
    let table = object_name(parser, "a table name")?;
    let mut choices = Vec::new();
    if parser.consume_token(&Token::LParen) {
        while !parser.consume_token(&Token::RParen) {
            let strategy = match eat_one_of(parser, &["INCLUDING", "EXCLUDING", "OVERWRITING"]) {
                Some("INCLUDING") => LikeStrategy::Including,
                Some("EXCLUDING") => LikeStrategy::Excluding,
                Some(_) => LikeStrategy::Overwriting,
                None => return expected(parser, "INCLUDING, EXCLUDING or OVERWRITING"),
            };
            let place = last(parser).union(&here(parser));
            let words = [
                "ALL",
                "CONSTRAINTS",
                "DISTRIBUTION",
                "GENERATED",
                "METADATA",
                "OPTIONS",
                "PARTITIONS",
                "WATERMARKS",
            ];
            let feature = match eat_one_of(parser, &words) {
                Some("ALL") => LikeFeature::All,
                Some("CONSTRAINTS") => LikeFeature::Constraints,
                Some("DISTRIBUTION") => LikeFeature::Distribution,
                Some("GENERATED") => LikeFeature::Generated,
                Some("METADATA") => LikeFeature::Metadata,
                Some("OPTIONS") => LikeFeature::Options,
                Some("PARTITIONS") => LikeFeature::Partitions,
                Some(_) => LikeFeature::Watermarks,
                None => return expected(parser, &words.join(", ")),
            };
            let overwritable = !matches!(
                feature,
                LikeFeature::All
                    | LikeFeature::Constraints
                    | LikeFeature::Distribution
                    | LikeFeature::Partitions
            );
            if strategy == LikeStrategy::Overwriting && !overwritable {
                return Err(fail(
                    place,
                    "OVERWRITING goes with GENERATED, METADATA, OPTIONS and WATERMARKS only",
                    "write INCLUDING or EXCLUDING",
                ));
            }
            choices.push(LikeChoice { strategy, feature });
        }
    }
    Ok(Like { table, choices })
}

fn create_view(parser: &mut Parser, temporary: bool) -> Parsed<StatementKind> {
    let if_not_exists = eat(parser, &["IF", "NOT", "EXISTS"]);
    let name = object_name(parser, "a view name")?;
    let columns = if parser.peek_token_ref().token == Token::LParen {
        identifier_list(parser, "a column name")?
    } else {
        Vec::new()
    };
    let comment = comment(parser)?;
    if peek_words(parser, &["WITH"]) {
        return Err(fail(
            here(parser),
            "a view has no WITH options",
            "give them to the tables it reads",
        ));
    }
    expect(parser, &["AS"])?;
    let query = query(parser)?;
    Ok(StatementKind::CreateView(CreateView {
        temporary,
        if_not_exists,
        name,
        columns,
        comment,
        query,
    }))
}

/// DROP; it was just read.
pub(super) fn drop_statement(parser: &mut Parser) -> Parsed<StatementKind> {
    let start = last(parser);
    eat(parser, &["TEMPORARY"]);
    eat(parser, &["SYSTEM"]);
    let kind = if eat(parser, &["TABLE"]) {
        DropKind::Table
    } else if eat(parser, &["VIEW"]) {
        DropKind::View
    } else {
        let Some(word) = upper_at(parser, 0) else {
            return expected(parser, "TABLE or VIEW");
        };
        return match word.as_str() {
            "CATALOG" | "DATABASE" | "FUNCTION" | "MODEL" | "CONNECTION" | "MATERIALIZED" => {
                let name = if word == "MATERIALIZED" {
                    "MATERIALIZED TABLE"
                } else {
                    &word
                };
                let place = start.union(&here(parser));
                Err(unsupported(
                    place,
                    &format!("DROP {name}"),
                    "DROP TABLE and DROP VIEW are supported",
                ))
            }
            _ => expected(parser, "TABLE or VIEW"),
        };
    };
    let if_exists = eat(parser, &["IF", "EXISTS"]);
    let name = object_name(parser, "a name")?;
    Ok(StatementKind::Drop(Drop {
        kind,
        if_exists,
        name,
    }))
}

/// ALTER; it was just read.
pub(super) fn alter(parser: &mut Parser, errors: &mut Vec<ParserError>) -> Parsed<StatementKind> {
    let start = last(parser);
    let supported = "ALTER TABLE ... SET and ALTER TABLE ... RESET are supported";
    if !eat(parser, &["TABLE"]) {
        let Some(word) = upper_at(parser, 0) else {
            return expected(parser, "TABLE");
        };
        return match word.as_str() {
            "VIEW" | "DATABASE" | "CATALOG" | "FUNCTION" | "MODEL" | "CONNECTION"
            | "MATERIALIZED" => {
                let name = if word == "MATERIALIZED" {
                    "MATERIALIZED TABLE"
                } else {
                    &word
                };
                Err(unsupported(
                    start.union(&here(parser)),
                    &format!("ALTER {name}"),
                    supported,
                ))
            }
            _ => expected(parser, "TABLE"),
        };
    }
    let if_exists = eat(parser, &["IF", "EXISTS"]);
    let name: ObjectName = object_name(parser, "a table name")?;
    let mut set = Vec::new();
    let mut reset = Vec::new();
    if eat(parser, &["SET"]) {
        set = option_list(parser, errors)?;
    } else if eat(parser, &["RESET"]) {
        parser.expect_token(&Token::LParen)?;
        reset = parser.parse_comma_separated(|p| {
            let (value, span) = string_literal(p, "an option's key")?;
            Ok(Spanned { value, span })
        })?;
        parser.expect_token(&Token::RParen)?;
    } else {
        return match upper_at(parser, 0).as_deref() {
            Some(word @ ("ADD" | "MODIFY" | "DROP" | "RENAME")) => Err(unsupported(
                here(parser),
                &format!("ALTER TABLE ... {word}"),
                supported,
            )),
            _ => expected(parser, "SET or RESET"),
        };
    }
    Ok(StatementKind::AlterTable(AlterTable {
        if_exists,
        name,
        set,
        reset,
    }))
}
