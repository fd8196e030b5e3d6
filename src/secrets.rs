//! References to secrets: `${env:NAME}` and `${file:PATH}` in the text of an option stand for what is kept outside of it.

use std::fmt;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// In this variable of the environment.
    Env(String),
    /// In this file; a newline at its end is no part of it.
    File(String),
}

/// A kind of reference, of a name.
type Kind = fn(String) -> Reference;

/// How the references begin.
const KINDS: [(&str, Kind); 2] = [("${env:", Reference::Env), ("${file:", Reference::File)];

/// A piece of a text.
enum Piece<'a> {
    Text(&'a str),
    Reference(Reference),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "${{env:{name}}}"),
            Self::File(path) => write!(f, "${{file:{path}}}"),
        }
    }
}

impl Reference {
    /// What it stands for. The reason why that is not known has nothing of it.
    ///
    /// # Errors
    /// The variable is not set, or the file cannot be read.
    pub fn value(&self) -> Result<String, String> {
        match self {
            Self::Env(name) => std::env::var(name).map_err(|e| match e {
                std::env::VarError::NotPresent => {
                    format!("{self}: the variable {name} is not set")
                }
                std::env::VarError::NotUnicode(_) => {
                    format!("{self}: the variable {name} is not UTF-8")
                }
            }),
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|e| format!("{self}: cannot read the file: {e}"))?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Ok(line.strip_suffix('\r').unwrap_or(line).to_string())
            }
        }
    }
}

/// The pieces of a text, in order.
fn pieces(mut text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    loop {
        let next = KINDS.iter().filter_map(|(begin, kind)| {
            let at = text.find(begin)?;
            Some((at, at + begin.len(), kind))
        });
        let Some((at, inner, kind)) = next.min_by_key(|(at, ..)| *at) else {
            pieces.push(Piece::Text(text));
            return Ok(pieces);
        };
        let (before, begin) = (&text[..at], &text[at..inner]);
        let Some((name, rest)) = text[inner..].split_once('}') else {
            return Err(format!("'{begin}' has no '}}' after it"));
        };
        if name.is_empty() {
            return Err(format!("'{begin}}}' names nothing"));
        }
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Reference(kind(name.to_string())));
        text = rest;
    }
}

/// The references in a text.
///
/// # Errors
/// One that does not end.
pub fn references(text: &str) -> Result<Vec<Reference>, String> {
    let pieces = pieces(text)?.into_iter();
    let references = pieces.filter_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Reference(reference) => Some(reference),
    });
    Ok(references.collect())
}

/// Whether a text has a reference in it, or what is meant to be one.
pub fn has_reference(text: &str) -> bool {
    KINDS.iter().any(|(begin, _)| text.contains(begin))
}

/// The text with what its references stand for. It is for whoever opens something, and not to be kept or shown.
///
/// # Errors
/// A reference that does not end, or that stands for nothing.
pub fn resolve(text: &str) -> Result<String, String> {
    let pieces = pieces(text)?.into_iter();
    pieces
        .map(|piece| match piece {
            Piece::Text(text) => Ok(text.to_string()),
            Piece::Reference(reference) => reference.value(),
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn references_stand_for_variables_and_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "b}\n").unwrap();
        let text = format!("a ${{file:{}}} ${{x}} $", file.path().display());
        assert_eq!(resolve(&text).unwrap(), "a b} ${x} $");
        assert_eq!(references(&text).unwrap().len(), 1);
        assert!(
            resolve("${env:NOT_SET_ANYWHERE}")
                .unwrap_err()
                .contains("is not set")
        );
        assert!(
            resolve("${file:/not/there}")
                .unwrap_err()
                .contains("cannot read")
        );
        assert!(resolve("${env:A").unwrap_err().contains("has no '}'"));
        assert!(resolve("${file:}").unwrap_err().contains("names nothing"));
    }
}
