//! A file's text to its statements, every mistake found in one go.

use std::collections::VecDeque;
use std::sync::Arc;

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::ast::{
    ConflictAction, Insert, Script, Setting, Spanned, Statement, StatementKind, TableOption,
};
use super::ddl;
use super::depth::deep;
use super::dialect::FlinkDialect;
use super::failure::{Failure, fail, unpack};
use super::query::query;
use super::reserved::{is_word, upper};
use super::tokens::{MAX_NESTING, Segment, is_solid, segments};
use super::utility::{describe, explain_details, refused, show, unsupported};
use super::words::{
    at_end, eat, eat_one_of, expect, expected, here, identifier_list, last, object_name,
    peek_parenthesised_query, peek_words, starts_query, string_literal, upper_at,
};
use super::{Diagnostic, SourceFile};

type Parsed<T> = Result<T, ParserError>;

/// Reads all statements of a file, or all its mistakes in the order of their places.
pub fn parse_script(file: &Arc<SourceFile>) -> Result<Script, Vec<Diagnostic>> {
    match parse_all(file) {
        (script, errors) if errors.is_empty() => Ok(script),
        (_, errors) => Err(errors),
    }
}

/// The statements of a file that can be read, and the mistakes in the others, by place.
pub fn parse_all(file: &Arc<SourceFile>) -> (Script, Vec<Diagnostic>) {
    deep(|| parse_segments(file))
}

fn parse_segments(file: &Arc<SourceFile>) -> (Script, Vec<Diagnostic>) {
    let mut errors = Vec::new();
    let mut rest = segments(file, &mut errors);
    let mut statements = Vec::new();
    while let Some(segment) = rest.pop_front() {
        let mut reader = Reader {
            file,
            errors: &mut errors,
        };
        statements.extend(reader.statement(&segment, &mut rest));
    }
    errors.sort_by_key(|e| e.span.start);
    errors.dedup();
    let script = Script {
        file: Arc::clone(file),
        statements,
    };
    (script, errors)
}

/// Reads statements and keeps their mistakes.
struct Reader<'r> {
    file: &'r Arc<SourceFile>,
    errors: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// One statement; a statement set takes its inserts from the segments that follow.
    fn statement(&mut self, segment: &Segment, rest: &mut VecDeque<Segment>) -> Option<Statement> {
        let mut parser = segment.parser();
        let explain = if eat(&mut parser, &["EXPLAIN"]) {
            match explain_details(&mut parser) {
                Ok(()) => true,
                Err(error) => {
                    self.report(segment, &error);
                    return None;
                }
            }
        } else {
            false
        };
        let start = here(&parser);
        let set = if eat(&mut parser, &["EXECUTE", "STATEMENT", "SET"])
            || (explain && eat(&mut parser, &["STATEMENT", "SET"]))
        {
            if !eat(&mut parser, &["BEGIN"]) {
                let error = fail(
                    start.union(&last(&parser)),
                    "a statement set begins with BEGIN",
                    "write EXECUTE STATEMENT SET BEGIN INSERT INTO ...; END;",
                );
                self.report(segment, &error);
                return None;
            }
            Some(self.statement_set(segment, parser, rest))
        } else if eat(&mut parser, &["BEGIN", "STATEMENT", "SET"]) {
            if !at_end(&parser) {
                let error = fail(
                    here(&parser),
                    "a semicolon is missing after BEGIN STATEMENT SET",
                    "write BEGIN STATEMENT SET; INSERT INTO ...; END;",
                );
                self.report(segment, &error);
            }
            Some(self.statement_set(segment, parser, rest))
        } else {
            None
        };
        let statement = match set {
            Some(statement) => statement?,
            None => self.single(segment, explain)?,
        };
        if !explain {
            return Some(statement);
        }
        let span = Span::new(segment.span.start, statement.span.end);
        let allowed = matches!(
            statement.kind,
            StatementKind::Query(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_)
        );
        if !allowed {
            let error = fail(
                span,
                "EXPLAIN takes a query, an INSERT or a STATEMENT SET",
                "remove EXPLAIN",
            );
            self.report(segment, &error);
            return None;
        }
        Some(Statement {
            span,
            kind: StatementKind::Explain(Box::new(statement)),
        })
    }

    /// A statement that ends with its segment.
    fn single(&mut self, segment: &Segment, explain: bool) -> Option<Statement> {
        if segment.faulty {
            return None;
        }
        let mut parser = segment.parser();
        if explain {
            eat(&mut parser, &["EXPLAIN"]);
            // Its details were read once without error.
            explain_details(&mut parser).ok()?;
        }
        let start = here(&parser).start;
        let mut errors = Vec::new();
        let result = self.kind(segment, &mut parser, &mut errors);
        let found = self.finish(segment, &parser, result, errors)?;
        Some(Statement {
            span: Span::new(start, segment.span.end),
            kind: found,
        })
    }

    /// The result of a parse, if it is whole and the segment is at its end.
    fn finish<T>(
        &mut self,
        segment: &Segment,
        parser: &Parser,
        result: Parsed<T>,
        errors: Vec<ParserError>,
    ) -> Option<T> {
        let broken = !errors.is_empty();
        for error in errors {
            self.report(segment, &error);
        }
        let result = result.and_then(|value| {
            if at_end(parser) {
                Ok(value)
            } else {
                leftover(parser)
            }
        });
        match result {
            Ok(value) => (!broken).then_some(value),
            Err(error) => {
                let failure = innermost(&segment.tokens)
                    .unwrap_or_else(|| unpack(&error, &segment.tokens, segment.end));
                self.errors.push(failure.into_diagnostic(self.file));
                None
            }
        }
    }

    fn report(&mut self, segment: &Segment, error: &ParserError) {
        self.errors
            .push(unpack(error, &segment.tokens, segment.end).into_diagnostic(self.file));
    }

    /// The inserts up to END; the first may stand in the segment of BEGIN itself.
    fn statement_set(
        &mut self,
        first: &Segment,
        mut parser: Parser,
        rest: &mut VecDeque<Segment>,
    ) -> Option<Statement> {
        let begin = Span::new(first.span.start, last(&parser).end);
        let before = self.errors.len();
        let mut inserts = Vec::new();
        if peek_words(&parser, &["END"]) {
            let error = fail(
                here(&parser),
                "an empty statement set",
                "write INSERT INTO ...; between BEGIN and END",
            );
            self.report(first, &error);
            return None;
        }
        if !at_end(&parser) && !first.faulty {
            let start = here(&parser).start;
            let result = set_member(&mut parser);
            let insert = self.finish(first, &parser, result, Vec::new());
            inserts.extend(insert.map(|insert| (Span::new(start, first.span.end), insert)));
        }
        let mut closed_at = None;
        while let Some(segment) = rest.pop_front() {
            let mut parser = segment.parser();
            if eat(&mut parser, &["END"]) {
                if !at_end(&parser) {
                    let error = fail(
                        here(&parser),
                        "a semicolon is missing after END",
                        "write END;",
                    );
                    self.report(&segment, &error);
                }
                closed_at = Some(segment.span.end);
                break;
            }
            let closes_later = rest.iter().any(|s| {
                s.tokens
                    .iter()
                    .find(|t| is_solid(t))
                    .is_some_and(|t| is_word(&t.token, "END"))
            });
            if !closes_later && upper_at(&parser, 0).as_deref() != Some("INSERT") {
                // The set was never closed: what follows stands for itself.
                rest.push_front(segment);
                break;
            }
            if segment.faulty {
                continue;
            }
            let result = set_member(&mut parser);
            let insert = self.finish(&segment, &parser, result, Vec::new());
            inserts.extend(insert.map(|insert| (segment.span, insert)));
        }
        let Some(end) = closed_at else {
            let error = fail(
                begin,
                "this statement set is never closed",
                "write END; after its last INSERT",
            );
            self.report(first, &error);
            return None;
        };
        if inserts.is_empty() && self.errors.len() == before && !first.faulty {
            let error = fail(
                begin,
                "an empty statement set",
                "write INSERT INTO ...; between BEGIN and END",
            );
            self.report(first, &error);
        }
        Some(Statement {
            span: Span::new(begin.start, end),
            kind: StatementKind::StatementSet(inserts),
        })
    }

    fn kind(
        &mut self,
        segment: &Segment,
        parser: &mut Parser,
        errors: &mut Vec<ParserError>,
    ) -> Parsed<StatementKind> {
        let span = here(parser);
        if starts_query(&parser.peek_token_ref().token) {
            return Ok(StatementKind::Query(query(parser)?));
        }
        let Some(word) = upper_at(parser, 0) else {
            return Err(fail(
                span,
                format!(
                    "a statement cannot begin with {}",
                    parser.peek_token_ref().token
                ),
                "begin with CREATE, INSERT INTO, SELECT, SET ...",
            ));
        };
        parser.advance_token();
        match word.as_str() {
            "CREATE" => ddl::create(parser, errors),
            "DROP" => ddl::drop_statement(parser),
            "ALTER" => ddl::alter(parser, errors),
            "INSERT" => Ok(StatementKind::Insert(Box::new(insert(parser)?))),
            "EXECUTE" => execute(parser),
            "SET" => self.set(segment, parser),
            "RESET" => self.reset(segment, parser),
            "SHOW" => show(parser),
            "DESCRIBE" | "DESC" => describe(parser),
            "END" => Err(fail(
                span,
                "END without BEGIN",
                "remove it, or begin with EXECUTE STATEMENT SET BEGIN",
            )),
            "BEGIN" => Err(fail(
                span,
                "BEGIN alone is not a statement",
                "write EXECUTE STATEMENT SET BEGIN INSERT INTO ...; END;",
            )),
            "EXPLAIN" => Err(fail(span, "EXPLAIN inside EXPLAIN", "remove one")),
            _ => Err(refused(parser, &word, span)),
        }
    }

    fn set(&mut self, segment: &Segment, parser: &mut Parser) -> Parsed<StatementKind> {
        if at_end(parser) {
            return Ok(StatementKind::Set(None));
        }
        if let Token::SingleQuotedString(_) = parser.peek_token_ref().token {
            let (key, key_span) = string_literal(parser, "a key")?;
            parser.expect_token(&Token::Eq)?;
            let (value, value_span) = string_literal(parser, "a value")?;
            return Ok(StatementKind::Set(Some(Setting {
                key: Spanned {
                    value: key,
                    span: key_span,
                },
                value: Spanned {
                    value,
                    span: value_span,
                },
            })));
        }
        let (key, value) = bare_setting(segment).ok_or_else(|| {
            fail(
                here(parser),
                "SET takes a key and a value",
                "write SET 'key' = 'value'",
            )
        })?;
        while !at_end(parser) {
            parser.advance_token();
        }
        Ok(StatementKind::Set(Some(Setting { key, value })))
    }

    fn reset(&mut self, segment: &Segment, parser: &mut Parser) -> Parsed<StatementKind> {
        if at_end(parser) {
            return Ok(StatementKind::Reset(None));
        }
        if let Token::SingleQuotedString(_) = parser.peek_token_ref().token {
            let (value, span) = string_literal(parser, "a key")?;
            return Ok(StatementKind::Reset(Some(Spanned { value, span })));
        }
        let solid: Vec<&TokenWithSpan> = segment
            .tokens
            .iter()
            .filter(|t| is_solid(t))
            .skip(1)
            .collect();
        let key = joined(&solid)
            .ok_or_else(|| fail(here(parser), "RESET takes one key", "write RESET 'key'"))?;
        while !at_end(parser) {
            parser.advance_token();
        }
        Ok(StatementKind::Reset(Some(key)))
    }
}

/// The key and value of `SET key = value`, as they were written.
fn bare_setting(segment: &Segment) -> Option<(Spanned<String>, Spanned<String>)> {
    let solid: Vec<&TokenWithSpan> = segment.tokens.iter().filter(|t| is_solid(t)).collect();
    let equals = solid.iter().position(|t| t.token == Token::Eq)?;
    let key = joined(solid.get(1..equals)?)?;
    let value = match solid.get(equals + 1..)? {
        [
            TokenWithSpan {
                token: Token::SingleQuotedString(text),
                span,
            },
        ] => Spanned {
            value: text.clone(),
            span: *span,
        },
        tokens => joined(tokens)?,
    };
    Some((key, value))
}

/// The text of tokens; what was apart stays apart by one blank.
fn joined(tokens: &[&TokenWithSpan]) -> Option<Spanned<String>> {
    let (first, end) = (tokens.first()?.span, tokens.last()?.span);
    let mut value = String::new();
    let mut previous = first.start;
    for token in tokens {
        if token.span.start != previous && !value.is_empty() {
            value.push(' ');
        }
        match &token.token {
            Token::SingleQuotedString(_) | Token::Eq | Token::Comma | Token::LParen => return None,
            other => value.push_str(&other.to_string()),
        }
        previous = token.span.end;
    }
    Some(Spanned {
        value,
        span: Span::new(first.start, end.end),
    })
}

fn leftover<T>(parser: &Parser) -> Parsed<T> {
    expected(parser, "the end of the statement")
}

/// One member of a statement set.
fn set_member(parser: &mut Parser) -> Parsed<Insert> {
    if eat(parser, &["INSERT"]) {
        let insert = insert(parser)?;
        if peek_words(parser, &["END"]) {
            return Err(fail(
                here(parser),
                "a semicolon is missing before END",
                "write INSERT INTO ...; END;",
            ));
        }
        return Ok(insert);
    }
    let help = "keep only INSERT INTO between BEGIN and END";
    Err(fail(
        here(parser),
        "a statement set holds INSERT INTO statements only",
        help,
    ))
}

/// INSERT; it was just read.
fn insert(parser: &mut Parser) -> Parsed<Insert> {
    if eat(parser, &["OVERWRITE"]) {
        return Err(unsupported(
            last(parser),
            "INSERT OVERWRITE",
            "write INSERT INTO",
        ));
    }
    expect(parser, &["INTO"])?;
    let table = object_name(parser, "a table name")?;
    let mut hint_options = hint(parser)?;
    if peek_words(parser, &["PARTITION"]) {
        let help = "select the partition's value as a column: INSERT INTO t SELECT ..., 'value'";
        return Err(unsupported(here(parser), "INSERT INTO ... PARTITION", help));
    }
    let columns =
        if parser.peek_token_ref().token == Token::LParen && !peek_parenthesised_query(parser) {
            identifier_list(parser, "a column name")?
        } else {
            Vec::new()
        };
    for (i, column) in columns.iter().enumerate() {
        if columns
            .iter()
            .take(i)
            .any(|other| other.value == column.value)
        {
            return Err(fail(
                column.span,
                format!("the column `{}` stands twice", column.value),
                "remove one",
            ));
        }
    }
    hint_options.extend(hint(parser)?);
    let query = query(parser)?;
    let start = here(parser);
    let on_conflict = if eat(parser, &["ON", "CONFLICT"]) {
        expect(parser, &["DO"])?;
        let value = match eat_one_of(parser, &["DEDUPLICATE", "NOTHING", "ERROR"]) {
            Some("DEDUPLICATE") => ConflictAction::Deduplicate,
            Some("NOTHING") => ConflictAction::Nothing,
            Some(_) => ConflictAction::Error,
            None => return expected(parser, "DEDUPLICATE, NOTHING or ERROR"),
        };
        Some(Spanned {
            value,
            span: start.union(&last(parser)),
        })
    } else {
        None
    };
    Ok(Insert {
        table,
        columns,
        query,
        on_conflict,
        hint_options,
    })
}

/// The OPTIONS hint after the table of an INSERT, rewritten to `@ OPTIONS (...)`.
fn hint(parser: &mut Parser) -> Parsed<Vec<TableOption>> {
    if !parser.consume_token(&Token::AtSign) {
        return Ok(Vec::new());
    }
    expect(parser, &["OPTIONS"])?;
    let mut errors = Vec::new();
    let options = ddl::option_list(parser, &mut errors)?;
    match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(options),
    }
}

/// EXECUTE; it was just read.
fn execute(parser: &mut Parser) -> Parsed<StatementKind> {
    let span = last(parser);
    if eat(parser, &["INSERT"]) {
        return Ok(StatementKind::Insert(Box::new(insert(parser)?)));
    }
    if starts_query(&parser.peek_token_ref().token) {
        return Ok(StatementKind::Query(query(parser)?));
    }
    if peek_words(parser, &["PLAN"]) {
        return Err(unsupported(
            span.union(&here(parser)),
            "EXECUTE PLAN",
            "run the statements themselves",
        ));
    }
    expected(parser, "STATEMENT SET, INSERT or a query after EXECUTE")
}

/// The mistake of the innermost subquery or named argument that does not parse by itself. sqlparser tries several
/// readings of what stands in parentheses and reports the last one, which is rarely the place of the mistake.
fn innermost(tokens: &[TokenWithSpan]) -> Option<Failure> {
    let solid: Vec<TokenWithSpan> = tokens.iter().filter(|t| is_solid(t)).cloned().collect();
    for (i, token) in solid.iter().enumerate().rev() {
        let next = solid.get(i + 1);
        let opens_query = token.token == Token::LParen
            && matches!(
                next.and_then(|t| upper(&t.token)).as_deref(),
                Some("SELECT" | "WITH")
            );
        if !opens_query && token.token != Token::RArrow {
            continue;
        }
        let inner = solid.get(i + 1..).unwrap_or_default();
        let mut depth = 0usize;
        let length = inner.iter().position(|t| match t.token {
            Token::LParen => {
                depth += 1;
                false
            }
            Token::RParen if depth == 0 => true,
            Token::RParen => {
                depth -= 1;
                false
            }
            Token::Comma => depth == 0 && !opens_query,
            _ => false,
        });
        let Some(end) = length.and_then(|n| inner.get(n)) else {
            continue;
        };
        let closer = end.clone();
        let inner: Vec<TokenWithSpan> = inner
            .iter()
            .take(length.unwrap_or_default())
            .cloned()
            .collect();
        let mut parser = Parser::new(&FlinkDialect)
            .with_recursion_limit(MAX_NESTING)
            .with_tokens_with_locations(inner.clone());
        let result = if opens_query {
            parser.parse_query().map(drop)
        } else {
            parser.parse_expr().map(drop)
        };
        let result = result.and_then(|()| {
            if at_end(&parser) {
                Ok(())
            } else {
                expected(&parser, ")")
            }
        });
        match result {
            Err(ParserError::RecursionLimitExceeded) | Ok(()) => {}
            Err(error) => {
                let mut failure = unpack(&error, &inner, closer.span);
                let found = format!("found {}", closer.token);
                failure.message = failure
                    .message
                    .replace("found the end of the statement", &found);
                return Some(failure);
            }
        }
    }
    None
}
