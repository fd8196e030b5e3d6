//! The tokens of a file: statements split at semicolons, characters that Flink SQL lacks refused, and what sqlparser
//! cannot read (hints, `TABLE x` as a query, WITHIN) rewritten into tokens it can.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Whitespace};

use super::dialect::FlinkDialect;
use super::failure::Failure;
use super::reserved::is_reserved;
use super::reserved::{is_word, upper};
use super::table_function::WITHIN_SYMBOL;
use super::{Diagnostic, SourceFile};

/// One statement's tokens.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// Its tokens with white space, rewritten for sqlparser.
    pub tokens: Vec<TokenWithSpan>,
    /// From the first to the last token.
    pub span: Span,
    /// Where it ends: the semicolon, or an empty place after the last token.
    pub end: Span,
    /// A mistake was already found in it.
    pub faulty: bool,
}

impl Segment {
    /// A parser over its tokens.
    pub fn parser(&self) -> Parser<'static> {
        Parser::new(&FlinkDialect)
            .with_recursion_limit(MAX_NESTING)
            .with_tokens_with_locations(self.tokens.clone())
    }
}

/// The tokens of a text up to where it cannot be read any further, and why not.
pub(super) fn tokens_of(text: &str) -> (Vec<TokenWithSpan>, Option<String>) {
    // A byte order mark becomes a blank, so that columns still count the characters of the text.
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(format!(" {rest}")),
        None => Cow::Borrowed(text),
    };
    let mut tokens = Vec::new();
    let read = Tokenizer::new(&FlinkDialect, &text).tokenize_with_location_into_buf(&mut tokens);
    (tokens, read.err().map(|error| error.message))
}

/// Splits a file into statements.
pub(super) fn segments(file: &Arc<SourceFile>, errors: &mut Vec<Diagnostic>) -> VecDeque<Segment> {
    let (tokens, broken) = tokens_of(&file.text);
    if let Some(message) = &broken {
        let start = tokens
            .last()
            .map_or(Location::new(1, 1), |t: &TokenWithSpan| t.span.end);
        let span = Span::new(start, Location::new(start.line, start.column + 1));
        let (message, help) = unterminated(message);
        errors.push(Diagnostic::new(file, span, message).with_help(help));
    }
    let mut segments = VecDeque::new();
    let mut rest = tokens.into_iter().peekable();
    while rest.peek().is_some() {
        let mut tokens = Vec::new();
        let mut semicolon = None;
        for token in rest.by_ref() {
            if token.token == Token::SemiColon {
                semicolon = Some(token.span);
                break;
            }
            // A parser looks through all that stands before the first word again and again.
            if !tokens.is_empty() || !is_blank(&token) {
                tokens.push(token);
            }
        }
        let mut solid = tokens.iter().filter(|t| is_solid(t)).map(|t| t.span);
        let Some(first) = solid.next() else { continue };
        let last = solid.next_back().unwrap_or(first);
        let end = semicolon.unwrap_or(Span::new(last.end, last.end));
        // What stands before an unterminated string or comment is half a statement.
        let cut_off = semicolon.is_none() && broken.is_some();
        let mut failures = Vec::new();
        let tokens = if cut_off {
            tokens
        } else {
            rewrite(tokens, &mut failures)
        };
        let faulty = cut_off || !failures.is_empty();
        errors.extend(failures.into_iter().map(|f| f.into_diagnostic(file)));
        segments.push_back(Segment {
            tokens,
            span: Span::new(first.start, last.end),
            end,
            faulty,
        });
    }
    segments
}

/// True unless the token is white space or a comment.
pub(super) fn is_solid(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_))
}

fn is_blank(token: &TokenWithSpan) -> bool {
    use Whitespace::{Newline, Space, Tab};
    matches!(token.token, Token::Whitespace(Space | Newline | Tab))
}

fn unterminated(message: &str) -> (String, String) {
    if message.contains("comment") {
        (
            "this comment is never closed".into(),
            "close it with */".into(),
        )
    } else if message.contains("string") {
        (
            "this string is never closed".into(),
            "close it with '; a quote inside a string is written ''".into(),
        )
    } else if message.contains("delimiter") {
        (
            "this quoted name is never closed".into(),
            "close it with `; a backtick inside a name is written ``".into(),
        )
    } else {
        (
            message.to_owned(),
            "quote names with ` and strings with '".into(),
        )
    }
}

impl Failure {
    /// The mistake as a diagnostic of a file.
    pub fn into_diagnostic(self, file: &Arc<SourceFile>) -> Diagnostic {
        let diagnostic = Diagnostic::new(file, self.span, self.message);
        match self.help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        }
    }
}

fn failure(span: Span, message: impl Into<String>, help: impl Into<String>) -> Failure {
    Failure {
        span,
        message: message.into(),
        help: Some(help.into()),
    }
}

fn rewrite(mut tokens: Vec<TokenWithSpan>, failures: &mut Vec<Failure>) -> Vec<TokenWithSpan> {
    for token in &mut tokens {
        if let Token::UnicodeStringLiteral(text) = &token.token {
            token.token = Token::SingleQuotedString(text.clone());
        }
    }
    check(&tokens, failures);
    check_length(&tokens, failures);
    let tokens = table_queries(tokens);
    let tokens = within(tokens);
    hints(tokens, failures)
}

/// Refuses what is not in Flink's language at all.
fn check(tokens: &[TokenWithSpan], failures: &mut Vec<Failure>) {
    let solid: Vec<&TokenWithSpan> = tokens.iter().filter(|t| is_solid(t)).collect();
    let first = |word| solid.first().is_some_and(|t| is_word(&t.token, word));
    // Settings may be written bare, in characters that mean nothing elsewhere.
    let free_text = first("SET") || first("RESET");
    let in_pattern = solid.iter().any(|t| is_word(&t.token, "PATTERN"));
    for (i, token) in solid.iter().enumerate() {
        let next = solid.get(i + 1);
        let (message, help) = match &token.token {
            Token::DoubleQuotedString(text) => (
                format!("Flink SQL has no double quotes: \"{text}\""),
                format!("quote strings with ' and names with `: '{text}' or `{text}`"),
            ),
            _ if free_text => continue,
            Token::Period => {
                let behind = solid.get(i + 2);
                match next.map(|t| &t.token) {
                    Some(Token::Word(w))
                        if w.quote_style.is_none()
                            && is_reserved(&w.value)
                            && behind.is_none_or(|t| t.token != Token::LParen) =>
                    {
                        let word = &w.value;
                        (
                            format!("`{word}` is a reserved word and cannot be a name"),
                            format!("write it in backticks: `{word}`"),
                        )
                    }
                    _ => continue,
                }
            }
            Token::DoubleColon => (
                ":: is not an operator of Flink SQL".into(),
                "write CAST(x AS TYPE)".into(),
            ),
            Token::DoubleEq => (
                "== is not an operator of Flink SQL".into(),
                "write =".to_owned(),
            ),
            Token::Arrow | Token::LongArrow | Token::HashArrow | Token::HashLongArrow => (
                format!("{} is not an operator of Flink SQL", token.token),
                "write JSON_VALUE(x, '$.path') or JSON_QUERY(x, '$.path')".into(),
            ),
            Token::ExclamationMark => (
                "! is not an operator of Flink SQL".into(),
                "write NOT".into(),
            ),
            Token::Overlap => (
                "&& is not an operator of Flink SQL".into(),
                "write AND".into(),
            ),
            Token::Assignment => (
                ":= is not an operator of Flink SQL".into(),
                "name an argument with =>".into(),
            ),
            Token::Char(c) => (
                format!("the character {c} means nothing here"),
                "remove it".into(),
            ),
            Token::Backslash | Token::AtSign | Token::Tilde | Token::Sharp | Token::Ampersand => (
                format!("{} means nothing in Flink SQL", token.token),
                "remove it".into(),
            ),
            Token::Placeholder(_) | Token::LBrace if !in_pattern => (
                format!("{} means nothing here", token.token),
                "write a value".to_owned(),
            ),
            Token::Word(_)
                if is_word(&token.token, "WITH")
                    && next.is_some_and(|t| t.token == Token::LParen)
                    && !first("CREATE") =>
            {
                (
                    "a table has no WITH here".into(),
                    "give options in a hint: t /*+ OPTIONS('key' = 'value') */".to_owned(),
                )
            }
            Token::Word(_)
                if is_word(&token.token, "FOR")
                    && next.is_some_and(|t| is_word(&t.token, "UPDATE")) =>
            {
                ("Flink SQL has no FOR UPDATE".into(), "remove it".into())
            }
            _ => continue,
        };
        let place = match (&token.token, next) {
            (Token::Period, Some(name)) => name.span,
            _ => token.span,
        };
        failures.push(failure(place, message, help));
    }
}

/// How deep queries and expressions may nest, in steps of the parser.
pub(super) const MAX_NESTING: usize = 128;

/// How many operators one expression may chain: each makes the tree one level deeper.
const MAX_CHAIN: usize = 2000;

fn check_length(tokens: &[TokenWithSpan], failures: &mut Vec<Failure>) {
    let mut chains = vec![0usize];
    let mut sets = 0;
    for token in tokens {
        let operator = match &token.token {
            Token::LParen => {
                chains.push(0);
                continue;
            }
            Token::RParen => {
                chains.pop();
                false
            }
            Token::Comma => {
                chains.pop();
                chains.push(0);
                false
            }
            Token::Word(_) => match upper(&token.token).as_deref() {
                Some("UNION" | "EXCEPT" | "INTERSECT") => {
                    sets += 1;
                    false
                }
                Some("AND" | "OR" | "IS" | "IN" | "LIKE" | "BETWEEN" | "SIMILAR" | "AT") => true,
                _ => false,
            },
            Token::Whitespace(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Period => false,
            _ => true,
        };
        if chains.is_empty() {
            chains.push(0);
        }
        if let (true, Some(chain)) = (operator, chains.last_mut()) {
            *chain += 1;
        }
        if sets > MAX_CHAIN || chains.last().is_some_and(|chain| *chain > MAX_CHAIN) {
            let message = format!("more than {MAX_CHAIN} operators in one expression");
            failures.push(failure(
                token.span,
                message,
                "split it with parentheses, or with WITH",
            ));
            return;
        }
    }
}

fn word(text: &str, span: Span) -> TokenWithSpan {
    TokenWithSpan {
        token: Token::make_word(text, None),
        span,
    }
}

fn symbol(token: Token, span: Span) -> TokenWithSpan {
    TokenWithSpan { token, span }
}

/// The solid tokens before index `i`, nearest first.
fn before(tokens: &[TokenWithSpan], i: usize) -> impl Iterator<Item = (usize, &TokenWithSpan)> {
    tokens
        .iter()
        .enumerate()
        .take(i)
        .rev()
        .filter(|(_, t)| is_solid(t))
}

fn next_solid(tokens: &[TokenWithSpan], i: usize) -> Option<&TokenWithSpan> {
    tokens.iter().skip(i + 1).find(|t| is_solid(t))
}

/// `TABLE x` where a query may stand becomes `SELECT * FROM x`.
fn table_queries(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let inserts = tokens.iter().any(|t| is_word(&t.token, "INSERT"));
    let mut depth = 0usize;
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let names_table = next_solid(&tokens, i).is_some_and(|t| matches!(t.token, Token::Word(_)));
        if !is_word(&token.token, "TABLE") || !names_table {
            continue;
        }
        let mut back = before(&tokens, i).map(|(_, t)| &t.token);
        let is_query = match back.next() {
            None => true,
            Some(Token::LParen) => back.next().and_then(upper).is_some_and(|w| {
                matches!(
                    w.as_str(),
                    "AS" | "FROM"
                        | "JOIN"
                        | "IN"
                        | "EXISTS"
                        | "UNION"
                        | "ALL"
                        | "EXCEPT"
                        | "INTERSECT"
                )
            }),
            Some(Token::RParen) => inserts && depth == 0,
            Some(previous @ Token::Word(_)) => match upper(previous).as_deref() {
                Some("AS" | "UNION" | "ALL" | "EXCEPT" | "INTERSECT" | "DISTINCT" | "EXECUTE") => {
                    true
                }
                Some("FOR") => back.next().and_then(upper).as_deref() == Some("PLAN"),
                Some(
                    "INTO" | "OVERWRITE" | "TABLE" | "CREATE" | "TEMPORARY" | "FROM" | "JOIN"
                    | "LATERAL",
                ) => false,
                _ => inserts && depth == 0,
            },
            Some(_) => false,
        };
        if is_query {
            found.push(i);
        }
    }
    let mut out = Vec::with_capacity(tokens.len());
    for (i, token) in tokens.into_iter().enumerate() {
        if found.contains(&i) {
            out.extend([
                word("SELECT", token.span),
                symbol(Token::Mul, token.span),
                word("FROM", token.span),
            ]);
        } else {
            out.push(token);
        }
    }
    out
}

/// `PATTERN (...) WITHIN i DEFINE a AS b` becomes `PATTERN (...) DEFINE a AS b, <symbol> AS i`.
fn within(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut from = 0;
    while let Some(start) = tokens.iter().enumerate().skip(from).find_map(|(i, t)| {
        let follows_paren = before(&tokens, i)
            .next()
            .is_some_and(|(_, t)| t.token == Token::RParen);
        (is_word(&t.token, "WITHIN")
            && follows_paren
            && next_solid(&tokens, i).is_some_and(|t| is_word(&t.token, "INTERVAL")))
        .then_some(i)
    }) {
        from = start + 1;
        let Some(define) = tokens
            .iter()
            .skip(start)
            .position(|t| is_word(&t.token, "DEFINE"))
            .map(|n| start + n)
        else {
            continue;
        };
        // The end of the DEFINE list is the parenthesis that closes the MATCH_RECOGNIZE.
        let mut depth = 0usize;
        let Some(close) = tokens
            .iter()
            .enumerate()
            .skip(define)
            .find_map(|(i, t)| match t.token {
                Token::LParen => {
                    depth += 1;
                    None
                }
                Token::RParen if depth == 0 => Some(i),
                Token::RParen => {
                    depth -= 1;
                    None
                }
                _ => None,
            })
        else {
            continue;
        };
        let span = tokens.get(start).map_or(Span::empty(), |t| t.span);
        let mut moved = vec![
            symbol(Token::Comma, span),
            symbol(Token::make_word(WITHIN_SYMBOL, Some('`')), span),
            word("AS", span),
        ];
        moved.extend(
            tokens
                .get(start + 1..define)
                .unwrap_or_default()
                .iter()
                .cloned(),
        );
        tokens.splice(close..close, moved);
        tokens.drain(start..define);
    }
    tokens
}

/// `t /*+ OPTIONS('k'='v') */ [FOR SYSTEM_TIME ...] [AS x]` becomes `t [FOR ...] [AS x] WITH (OPTIONS('k'='v'))`;
/// after the target of an INSERT it becomes `@ OPTIONS('k'='v')`.
fn hints(tokens: Vec<TokenWithSpan>, failures: &mut Vec<Failure>) -> Vec<TokenWithSpan> {
    let is_hint = |t: &TokenWithSpan| matches!(&t.token, Token::Whitespace(Whitespace::MultiLineComment(c)) if c.starts_with('+'));
    if !tokens.iter().any(is_hint) {
        return tokens;
    }
    // From the last to the first, so that what is parsed after a hint is already free of hints.
    let mut out = tokens;
    let mut i = out.len();
    while i > 0 {
        i -= 1;
        let Some(TokenWithSpan {
            token: Token::Whitespace(Whitespace::MultiLineComment(comment)),
            span,
        }) = out.get(i)
        else {
            continue;
        };
        let Some(text) = comment.strip_prefix('+') else {
            continue;
        };
        let span = *span;
        let options = match options_hint(text, span) {
            Ok(options) => options,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        let Some(place) = hint_place(&out, i) else {
            let help = "write it as t /*+ OPTIONS('key' = 'value') */";
            failures.push(failure(
                span,
                "OPTIONS goes after the name of a table",
                help,
            ));
            continue;
        };
        if place == HintPlace::Sink {
            let mut replacement = vec![symbol(Token::AtSign, span)];
            replacement.extend(options);
            out.splice(i..=i, replacement);
            continue;
        }
        // The blank in front tells "nothing read" from "the first token read".
        let mut behind = vec![symbol(Token::Whitespace(Whitespace::Space), span)];
        behind.extend(out.iter().skip(i + 1).cloned());
        let mut parser = Parser::new(&FlinkDialect)
            .with_recursion_limit(MAX_NESTING)
            .with_tokens_with_locations(behind);
        let read = parser
            .maybe_parse_table_version()
            .and_then(|_| parser.maybe_parse_table_alias());
        // A mistake there is reported when the statement is parsed.
        let ahead = if read.is_ok() {
            parser.get_current_index()
        } else {
            0
        };
        let mut replacement = vec![word("WITH", span), symbol(Token::LParen, span)];
        replacement.extend(options);
        replacement.push(symbol(Token::RParen, span));
        let position = (i + 1 + ahead).min(out.len());
        out.splice(position..position, replacement);
        if let Some(token) = out.get_mut(i) {
            token.token = Token::Whitespace(Whitespace::Space);
        }
    }
    out
}

/// What table a hint stands after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HintPlace {
    /// The target of an INSERT.
    Sink,
    /// A table that is read.
    Source,
}

fn hint_place(tokens: &[TokenWithSpan], i: usize) -> Option<HintPlace> {
    let mut back = before(tokens, i).map(|(_, t)| &t.token);
    let mut lead = loop {
        if !matches!(back.next(), Some(Token::Word(_))) {
            return None;
        }
        let lead = back.next();
        if lead != Some(&Token::Period) {
            break lead;
        }
    };
    if lead == Some(&Token::Comma) || lead == Some(&Token::LParen) {
        return Some(HintPlace::Source);
    }
    match lead.take().and_then(upper).as_deref() {
        Some("INTO") if back.next().is_some_and(|t| is_word(t, "INSERT")) => Some(HintPlace::Sink),
        Some("FROM" | "JOIN" | "TABLE") => Some(HintPlace::Source),
        _ => None,
    }
}

/// The tokens of the OPTIONS in a hint.
fn options_hint(text: &str, span: Span) -> Result<Vec<TokenWithSpan>, Failure> {
    let example = "write /*+ OPTIONS('key' = 'value', ...) */";
    let mut tokens = Vec::new();
    Tokenizer::new(&FlinkDialect, text)
        .tokenize_with_location_into_buf(&mut tokens)
        .map_err(|_| failure(span, "this hint has an unclosed string", example))?;
    let shift = |l: Location| {
        if l.line == 1 {
            Location::new(span.start.line, span.start.column + 2 + l.column)
        } else {
            Location::new(span.start.line + l.line - 1, l.column)
        }
    };
    for token in &mut tokens {
        token.span = Span::new(shift(token.span.start), shift(token.span.end));
    }
    tokens.retain(is_solid);
    let mut depth = 0usize;
    for token in &tokens {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(w) if depth == 0 && !w.value.eq_ignore_ascii_case("OPTIONS") => {
                let name = w.value.to_ascii_uppercase();
                let help =
                    "remove the hint; of Flink's hints flowline knows OPTIONS('key' = 'value')";
                return Err(failure(
                    token.span,
                    format!("flowline does not support the hint {name} yet"),
                    help,
                ));
            }
            _ => {}
        }
    }
    let mut iter = tokens.iter().map(|t| &t.token);
    let opens =
        iter.next().is_some_and(|t| is_word(t, "OPTIONS")) && iter.next() == Some(&Token::LParen);
    let mut well_formed = opens;
    loop {
        let pair = (iter.next(), iter.next(), iter.next(), iter.next());
        match pair {
            (
                Some(Token::SingleQuotedString(_)),
                Some(Token::Eq),
                Some(Token::SingleQuotedString(_)),
                Some(Token::Comma),
            ) => {}
            (
                Some(Token::SingleQuotedString(_)),
                Some(Token::Eq),
                Some(Token::SingleQuotedString(_)),
                Some(Token::RParen),
            ) => {
                well_formed &= iter.next().is_none();
                break;
            }
            _ => {
                well_formed = false;
                break;
            }
        }
    }
    if well_formed {
        Ok(tokens)
    } else {
        Err(failure(span, "this hint cannot be read", example))
    }
}
