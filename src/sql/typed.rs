//! Text while it is typed: where its statements end, what its words are, which options it gives.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;
use std::sync::Arc;

use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Whitespace};

use super::SourceFile;
use super::reserved::{is_reserved, is_word};
use super::tokens::{is_solid, tokens_of};

/// The statements of a text.
#[derive(Debug)]
pub struct Pieces {
    /// Each as a file in which it stands at its own place and everything before it is blank.
    pub statements: Vec<Arc<SourceFile>>,
    /// The last one has its semicolon.
    pub is_whole: bool,
}

/// Cuts a text at the semicolons that end a statement: not those in quotes, in comments or in a statement set.
pub fn pieces(file: &Arc<SourceFile>) -> Pieces {
    let (tokens, broken) = tokens_of(&file.text);
    let mut places = Places::of(&file.text);
    let mut statements = Vec::new();
    let mut begin = None;
    let mut segment: Vec<&Token> = Vec::new();
    let mut in_set = false;
    for token in tokens.iter().filter(|t| is_solid(t)) {
        if token.token != Token::SemiColon {
            begin.get_or_insert_with(|| places.byte(token.span.start));
            segment.push(&token.token);
            continue;
        }
        in_set = stays_open(in_set, &segment);
        segment.clear();
        let Some(from) = begin.filter(|_| !in_set) else {
            continue;
        };
        begin = None;
        statements.push(alone(file, from..places.byte(token.span.end)));
    }
    let is_whole = begin.is_none() && broken.is_none();
    if !is_whole {
        let read = tokens.last().map_or(Location::new(1, 1), |t| t.span.end);
        let from = begin.unwrap_or_else(|| places.byte(read));
        statements.push(alone(file, from..file.text.len()));
    }
    Pieces {
        statements,
        is_whole,
    }
}

/// Whether a statement set is open after this much of it.
fn stays_open(in_set: bool, segment: &[&Token]) -> bool {
    if in_set {
        return !segment.first().is_some_and(|token| is_word(token, "END"));
    }
    let begins = [["STATEMENT", "SET", "BEGIN"], ["BEGIN", "STATEMENT", "SET"]];
    segment.windows(3).any(|three| {
        begins
            .iter()
            .any(|words| three.iter().zip(words).all(|(t, word)| is_word(t, word)))
    })
}

/// A part of a file, at its place.
fn alone(file: &SourceFile, part: Range<usize>) -> Arc<SourceFile> {
    let before = file.text.get(..part.start).unwrap_or_default();
    let blank = |c: char| if c == '\n' { c } else { ' ' };
    let mut text: String = before.chars().map(blank).collect();
    text.push_str(file.text.get(part).unwrap_or_default());
    SourceFile::new(file.name.clone(), text)
}

/// What a part of a text is, for whoever colours it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A reserved word.
    Keyword,
    /// A string.
    Text,
    /// A number.
    Number,
    /// A comment.
    Comment,
    /// Anything else.
    Plain,
}

/// What the parts of a text are, in order, and nothing left out.
pub fn looks(text: &str) -> Vec<(Range<usize>, Look)> {
    let (tokens, broken) = tokens_of(text);
    let mut places = Places::of(text);
    let mut end = 0;
    let mut looks = Vec::new();
    for token in &tokens {
        let from = end;
        end = places.byte(token.span.end);
        looks.push((from..end, look(token)));
    }
    if let Some(message) = broken {
        let unclosed = match message.contains("comment") {
            true => Look::Comment,
            false => Look::Text,
        };
        looks.push((end..text.len(), unclosed));
    } else if end < text.len() {
        looks.push((end..text.len(), Look::Plain));
    }
    looks
}

fn look(token: &TokenWithSpan) -> Look {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() && is_reserved(&word.value) => {
            Look::Keyword
        }
        Token::SingleQuotedString(_) | Token::UnicodeStringLiteral(_) => Look::Text,
        Token::Number(..) => Look::Number,
        Token::Whitespace(
            Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
        ) => Look::Comment,
        _ => Look::Plain,
    }
}

/// The options that a text gives, `'key' = 'value'`.
pub fn given_options(text: &str) -> Vec<(String, String)> {
    let (mut tokens, _) = tokens_of(text);
    tokens.retain(is_solid);
    let three = tokens.windows(3).filter_map(|three| {
        match [&three[0].token, &three[1].token, &three[2].token] {
            [
                Token::SingleQuotedString(key),
                Token::Eq,
                Token::SingleQuotedString(value),
            ] => Some((key.clone(), value.clone())),
            _ => None,
        }
    });
    three.collect()
}

/// Turns lines and columns into bytes, one after another through a text.
struct Places<'t> {
    characters: Peekable<CharIndices<'t>>,
    at: Location,
    length: usize,
}

impl<'t> Places<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            characters: text.char_indices().peekable(),
            at: Location::new(1, 1),
            length: text.len(),
        }
    }

    /// Where a place is that is not before the last one asked for.
    fn byte(&mut self, place: Location) -> usize {
        while self.at < place {
            match self.characters.next() {
                Some((_, '\n')) => self.at = Location::new(self.at.line + 1, 1),
                Some(_) => self.at.column += 1,
                None => break,
            }
        }
        self.characters.peek().map_or(self.length, |(i, _)| *i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> (Vec<String>, bool) {
        let Pieces {
            statements,
            is_whole,
        } = pieces(&SourceFile::new("x", text));
        let texts = statements.iter().map(|s| s.text.clone());
        (texts.collect(), is_whole)
    }

    #[test]
    fn statements_are_cut_where_they_end() {
        let (statements, is_whole) = cut("é; SELECT ';' -- a;\n, `b;` /* ; */; SELECT\n 2;");
        assert!(is_whole);
        assert_eq!(
            statements,
            [
                "é;",
                "   SELECT ';' -- a;\n, `b;` /* ; */;",
                &format!("{}\n{}SELECT\n 2;", " ".repeat(19), " ".repeat(16)),
            ]
        );
        let (statements, is_whole) = cut("\u{feff}SELECT 1;; -- end");
        assert!(is_whole);
        assert_eq!(statements, [" SELECT 1;"]);
    }

    #[test]
    fn what_has_no_end_is_not_whole() {
        for text in ["SELECT 1", "SELECT ';", "SELECT 1; /*", "x; `a;"] {
            assert!(!cut(text).1, "{text}");
        }
        for text in ["", " -- SELECT 1", ";", "/* ; */"] {
            assert_eq!(cut(text), (Vec::new(), true), "{text}");
        }
        assert_eq!(cut("'a").0, ["'a"]);
    }

    #[test]
    fn a_statement_set_is_one_statement() {
        for begin in [
            "BEGIN STATEMENT SET;",
            "EXECUTE STATEMENT SET BEGIN",
            "EXPLAIN STATEMENT SET BEGIN",
        ] {
            let open = format!("{begin} INSERT INTO a SELECT 1; INSERT INTO b SELECT 2;");
            assert!(!cut(&open).1, "{open}");
            let (statements, is_whole) = cut(&format!("{open} END; SELECT 1;"));
            assert!(is_whole && statements.len() == 2, "{statements:?}");
        }
    }

    #[test]
    fn parts_have_a_look() {
        let text = "select é, 'x' -- c\nfrom `from` LIMIT 1";
        let found = looks(text);
        let of = |look| -> Vec<&str> {
            let parts = found.iter().filter(|(_, l)| *l == look);
            parts.map(|(range, _)| &text[range.clone()]).collect()
        };
        assert_eq!(of(Look::Keyword), ["select", "from", "LIMIT"]);
        assert_eq!(of(Look::Text), ["'x'"]);
        assert_eq!(of(Look::Number), ["1"]);
        assert_eq!(of(Look::Comment).concat().trim_end(), "-- c");
        for text in ["SELECT 'a", "SELECT /* a", "\u{feff}SELECT"] {
            let all = looks(text);
            let whole: String = all.iter().map(|(range, _)| &text[range.clone()]).collect();
            assert_eq!(whole, text);
        }
    }

    #[test]
    fn options_are_found() {
        let text = "CREATE TABLE t (a INT) WITH ('a.b' = 'c', 'd'='${env:E}')";
        let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
        assert_eq!(
            given_options(text),
            [pair("a.b", "c"), pair("d", "${env:E}")]
        );
    }
}
