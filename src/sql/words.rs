//! Small steps over the tokens of a statement, shared by the statement, DDL and expression parsers.

use sqlparser::ast::{Ident, ObjectName};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

use super::failure::{fail, reserved_name};
use super::reserved::{is_reserved, is_word, upper};

/// The unquoted word `n` tokens ahead, in upper case.
pub(super) fn upper_at(parser: &Parser, n: usize) -> Option<String> {
    upper(&parser.peek_nth_token_ref(n).token)
}

/// True if the next tokens are these words.
pub(super) fn peek_words(parser: &Parser, words: &[&str]) -> bool {
    words
        .iter()
        .enumerate()
        .all(|(n, word)| is_word(&parser.peek_nth_token_ref(n).token, word))
}

/// Consumes these words if they are next.
pub(super) fn eat(parser: &mut Parser, words: &[&str]) -> bool {
    let found = peek_words(parser, words);
    if found {
        for _ in words {
            parser.advance_token();
        }
    }
    found
}

/// Consumes the first of these words that is next.
pub(super) fn eat_one_of<'w>(parser: &mut Parser, words: &[&'w str]) -> Option<&'w str> {
    words.iter().find(|word| eat(parser, &[word])).copied()
}

/// Consumes these words or fails.
pub(super) fn expect(parser: &mut Parser, words: &[&str]) -> Result<(), ParserError> {
    for word in words {
        if !eat(parser, &[word]) {
            return expected(parser, word);
        }
    }
    Ok(())
}

/// The error that something else should stand at the next token.
pub(super) fn expected<T>(parser: &Parser, what: &str) -> Result<T, ParserError> {
    parser.expected_ref(what, parser.peek_token_ref())
}

/// The place of the next token; empty at the end of the statement.
pub(super) fn here(parser: &Parser) -> Span {
    parser.peek_token_ref().span
}

/// The place of the last token read.
pub(super) fn last(parser: &Parser) -> Span {
    parser.get_current_token().span
}

/// True at the end of the statement.
pub(super) fn at_end(parser: &Parser) -> bool {
    parser.peek_token_ref().token == Token::EOF
}

/// True if the next tokens open a parenthesised query rather than a list of names.
pub(super) fn peek_parenthesised_query(parser: &Parser) -> bool {
    parser.peek_token_ref().token == Token::LParen
        && starts_query(&parser.peek_nth_token_ref(1).token)
}

/// True for a token with which a query may begin.
pub(super) fn starts_query(token: &Token) -> bool {
    *token == Token::LParen
        || matches!(
            upper(token).as_deref(),
            Some("SELECT" | "WITH" | "VALUES" | "TABLE")
        )
}

/// A name as an identifier; a reserved word without backticks is an error.
pub(super) fn identifier(parser: &mut Parser, what: &str) -> Result<Ident, ParserError> {
    let TokenWithSpan { token, span } = parser.peek_token();
    match token {
        Token::Word(word) => {
            if word.quote_style.is_none() && is_reserved(&word.value) {
                return Err(reserved_name(&word.value, what, span));
            }
            parser.advance_token();
            Ok(word_ident(word, span))
        }
        Token::SingleQuotedString(text) => Err(fail(
            span,
            format!("expected {what}, found the string '{text}'"),
            format!("names are written bare or in backticks: `{text}`"),
        )),
        _ => expected(parser, what),
    }
}

/// A dotted name.
pub(super) fn object_name(parser: &mut Parser, what: &str) -> Result<ObjectName, ParserError> {
    let mut parts = vec![identifier(parser, what)?];
    while parser.consume_token(&Token::Period) {
        parts.push(identifier(parser, what)?);
    }
    Ok(ObjectName::from(parts))
}

/// `(a, b, ...)`, at least one name.
pub(super) fn identifier_list(parser: &mut Parser, what: &str) -> Result<Vec<Ident>, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let names = parser.parse_comma_separated(|p| identifier(p, what))?;
    parser.expect_token(&Token::RParen)?;
    Ok(names)
}

/// A string literal and its place.
pub(super) fn string_literal(
    parser: &mut Parser,
    what: &str,
) -> Result<(String, Span), ParserError> {
    let TokenWithSpan { token, span } = parser.peek_token();
    match token {
        Token::SingleQuotedString(text) => {
            parser.advance_token();
            Ok((text, span))
        }
        Token::Word(_) | Token::Number(..) => Err(fail(
            span,
            format!("expected {what} in quotes, found {token}"),
            format!("write it as a string: '{}'", bare(&token)),
        )),
        _ => expected(parser, &format!("{what} in quotes")),
    }
}

fn bare(token: &Token) -> String {
    match token {
        Token::Word(word) => word.value.clone(),
        other => other.to_string(),
    }
}

/// The identifier of a word token.
pub(super) fn word_ident(word: Word, span: Span) -> Ident {
    Ident {
        value: word.value,
        quote_style: word.quote_style,
        span,
    }
}
