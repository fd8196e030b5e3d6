//! Errors on their way out of sqlparser: place and advice travel inside its error text and are unpacked here.

use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::reserved::is_reserved;
use super::reserved::{is_clause_word, is_word, upper};

/// Separates the parts of an error text made by [`fail`]; no SQL error message has it otherwise.
const SEPARATOR: char = '\u{1}';

/// One mistake, not yet tied to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The tokens at fault.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// A parser error that carries its place and advice.
pub(super) fn fail(span: Span, message: impl AsRef<str>, help: impl AsRef<str>) -> ParserError {
    let Span { start, end } = span;
    ParserError::ParserError(format!(
        "{}{SEPARATOR}{}{SEPARATOR}{} {} {} {}",
        message.as_ref(),
        help.as_ref(),
        start.line,
        start.column,
        end.line,
        end.column
    ))
}

/// The error for a reserved word used as a name.
pub(super) fn reserved_name(word: &str, what: &str, span: Span) -> ParserError {
    fail(
        span,
        format!("`{word}` is a reserved word and cannot be {what}"),
        format!("write it in backticks: `{word}`"),
    )
}

/// Unpacks an error into place, message and advice. `tokens` are those that were parsed (also white space), `end` is
/// where they end.
pub(super) fn unpack(error: &ParserError, tokens: &[TokenWithSpan], end: Span) -> Failure {
    let text = match error {
        ParserError::RecursionLimitExceeded => {
            return Failure {
                span: whole(tokens, end),
                message: "the expression is nested too deeply".into(),
                help: Some("split it with WITH or a view".into()),
            };
        }
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
    };
    let mut parts = text.split(SEPARATOR);
    if let (Some(message), Some(help), Some(place)) = (parts.next(), parts.next(), parts.next()) {
        let span = read_span(place)
            .filter(|span| span.start.line > 0)
            .unwrap_or(end);
        let help = (!help.is_empty()).then(|| help.to_owned());
        return Failure {
            span,
            message: message.to_owned(),
            help,
        };
    }
    explain(text, tokens, end)
}

fn whole(tokens: &[TokenWithSpan], end: Span) -> Span {
    let mut spans = tokens
        .iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_)))
        .map(|t| t.span);
    let first = spans.next().unwrap_or(end);
    Span::new(first.start, spans.next_back().unwrap_or(first).end)
}

fn read_span(place: &str) -> Option<Span> {
    let mut numbers = place.split(' ').map(|n| n.parse::<u64>().ok());
    let mut location = || Some(Location::new(numbers.next()??, numbers.next()??));
    Some(Span::new(location()?, location()?))
}

/// Makes sense of an error text of sqlparser's own.
fn explain(text: &str, tokens: &[TokenWithSpan], end: Span) -> Failure {
    let (text, location) = split_location(text);
    let significant: Vec<&TokenWithSpan> = tokens
        .iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_)))
        .collect();
    let at = location.and_then(|l| significant.iter().position(|t| t.span.start == l));
    let span = match (at.and_then(|i| significant.get(i)), location) {
        (Some(token), _) => token.span,
        (None, Some(l)) => Span::new(l, l),
        (None, None) => end,
    };
    let found = at.and_then(|i| significant.get(i));
    let before = match (at, location) {
        (Some(i), _) => i.checked_sub(1).and_then(|i| significant.get(i)),
        (None, None) => significant.last(),
        (None, Some(_)) => None,
    };
    let mut failure = Failure {
        span,
        message: reword(text),
        help: None,
    };
    if let Some(comma) = before.filter(|t| t.token == Token::Comma)
        && found.is_none_or(|t| ends_list(&t.token))
    {
        let what = found.map_or("the end of the statement".into(), |t| {
            format!("{}", t.token)
        });
        failure.span = comma.span;
        failure.message = format!("trailing comma before {what}");
        failure.help = Some("remove the comma, or write what it should separate".into());
        return failure;
    }
    if failure.message.starts_with("expected )")
        && let Some(open) = unclosed(&significant)
    {
        failure.span = open;
        failure.message = "this ( is never closed".into();
        failure.help = Some("add the ) that belongs to it".into());
        return failure;
    }
    failure.help = match found {
        None if location.is_none() => unclosed(&significant).map(|open| {
            format!(
                "the ( at line {}, column {} is never closed",
                open.start.line, open.start.column
            )
        }),
        None => None,
        Some(token) => advice(&failure.message, token, before.copied()),
    };
    failure
}

/// Splits sqlparser's " at Line: 1, Column: 2" off a message.
fn split_location(text: &str) -> (&str, Option<Location>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else {
        return (text, None);
    };
    let location = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some(Location::new(line.parse().ok()?, column.parse().ok()?)));
    match location {
        Some(location) => (message, Some(location)),
        None => (text, None),
    }
}

fn reword(text: &str) -> String {
    let Some((expected, found)) = text
        .strip_prefix("Expected: ")
        .and_then(|rest| rest.rsplit_once(", found: "))
    else {
        return text.to_owned();
    };
    let found = if found == "EOF" {
        "the end of the statement"
    } else {
        found
    };
    let expected = match expected {
        "joined table" => "a joined table or a subquery",
        "SELECT, VALUES, or a subquery in the query body" => "SELECT, VALUES, TABLE or a subquery",
        other => other,
    };
    format!("expected {expected}, found {found}")
}

fn ends_list(token: &Token) -> bool {
    matches!(
        token,
        Token::RParen | Token::RBracket | Token::SemiColon | Token::EOF
    ) || matches!(token, Token::Word(w) if w.quote_style.is_none() && is_reserved(&w.value))
}

fn unclosed(tokens: &[&TokenWithSpan]) -> Option<Span> {
    let mut open = Vec::new();
    for token in tokens {
        match token.token {
            Token::LParen => open.push(token.span),
            Token::RParen => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

/// The first words of statements, to notice a missing semicolon.
pub(super) const STATEMENT_WORDS: &[&str] = &[
    "CREATE", "DROP", "ALTER", "INSERT", "SET", "RESET", "SHOW", "DESCRIBE", "DESC", "EXPLAIN",
    "SELECT", "WITH", "VALUES", "TABLE", "EXECUTE", "BEGIN", "END", "USE", "LOAD", "UNLOAD", "ADD",
    "REMOVE", "UPDATE", "DELETE", "TRUNCATE", "ANALYZE", "CALL", "STOP", "COMPILE",
];

fn advice(message: &str, found: &TokenWithSpan, before: Option<&TokenWithSpan>) -> Option<String> {
    if let Token::Word(word) = &found.token
        && word.quote_style.is_none()
    {
        let first_word = upper(&found.token).unwrap_or_default();
        let starts_statement = [
            "CREATE", "DROP", "ALTER", "INSERT", "EXPLAIN", "EXECUTE", "END",
        ];
        if starts_statement.contains(&first_word.as_str())
            && message.contains("end of the statement")
        {
            return Some(format!("a semicolon is missing before {first_word}"));
        }
        let may_be_name = !is_clause_word(&first_word)
            || matches!(first_word.as_str(), "ORDER" | "GROUP" | "END" | "SET");
        if (may_be_name || message.contains("identifier after AS"))
            && is_reserved(&word.value)
            && (message.contains("identifier") || message.contains("an expression"))
        {
            return Some(format!(
                "{first_word} is a reserved word; as a name it is written in backticks: `{}`",
                word.value
            ));
        }
    }
    let operand = |token: &Token| {
        matches!(
            token,
            Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_)
        ) && !matches!(token, Token::Word(w) if w.quote_style.is_none() && is_reserved(&w.value))
    };
    if operand(&found.token)
        && before.is_some_and(|t| operand(&t.token) || t.token == Token::RParen)
    {
        return Some(format!(
            "is a comma or an operator missing before {}?",
            found.token
        ));
    }
    if is_word(&found.token, "LIMIT") || is_word(&found.token, "WHERE") {
        return Some(
            "the clauses of a query stand in the order WHERE, GROUP BY, HAVING, ORDER BY, LIMIT"
                .into(),
        );
    }
    None
}

/// The word of `known` that is nearest to a mistyped one.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let upper = word.to_ascii_uppercase();
    let close = |distance: usize| distance <= 1 + upper.chars().count() / 4;
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(&upper, k), *k))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| close(*distance))
        .map(|(_, k)| k)
}
