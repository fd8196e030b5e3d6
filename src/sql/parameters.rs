//! The parameters of a prepared statement: each `?` outside strings and comments stands for a value that is given later.

use sqlparser::tokenizer::{Token, Tokenizer};

use super::FlinkDialect;

/// How many parameters a text has.
pub fn count_parameters(text: &str) -> usize {
    places(text).len()
}

/// The text with a literal in the place of each parameter, in order; a parameter without one is NULL.
pub fn with_parameters(text: &str, literals: &[String]) -> String {
    let mut bound = String::with_capacity(text.len());
    let mut from = 0;
    for (number, at) in places(text).into_iter().enumerate() {
        bound.push_str(&text[from..at]);
        bound.push_str(literals.get(number).map_or("NULL", String::as_str));
        from = at + 1;
    }
    bound.push_str(&text[from..]);
    bound
}

/// Where they stand, in bytes. A text that has no tokens has none: parsing it says why.
fn places(text: &str) -> Vec<usize> {
    let mut tokens = Vec::new();
    let tokenized =
        Tokenizer::new(&FlinkDialect, text).tokenize_with_location_into_buf(&mut tokens);
    if tokenized.is_err() {
        return Vec::new();
    }
    let lines: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let is_parameter = |token: &Token| matches!(token, Token::Placeholder(mark) if mark == "?");
    let parameters = tokens.iter().filter(|token| is_parameter(&token.token));
    let place = |line: u64, column: u64| {
        let start = *lines.get(usize::try_from(line).ok()?.checked_sub(1)?)?;
        let column = usize::try_from(column).ok()?.checked_sub(1)?;
        let (at, _) = text[start..].char_indices().nth(column)?;
        text[start + at..].starts_with('?').then_some(start + at)
    };
    parameters
        .filter_map(|token| place(token.span.start.line, token.span.start.column))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marks_outside_strings_and_comments_are_parameters() {
        let text = "SELECT 'é?', `a?` -- ?\nFROM t /* ? */ WHERE é = ? AND b IN (?,?)";
        assert_eq!(count_parameters(text), 3);
        let literals = ["1".to_string(), "'it''s ?'".to_string()];
        assert_eq!(
            with_parameters(text, &literals),
            "SELECT 'é?', `a?` -- ?\nFROM t /* ? */ WHERE é = 1 AND b IN ('it''s ?',NULL)"
        );
        assert_eq!(with_parameters("SELECT 'open", &[]), "SELECT 'open");
    }
}
