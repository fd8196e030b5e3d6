//! Errors as a person reads them: mistakes with the line and a caret, other errors with their causes and advice.

use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};

use crate::error::Error;
use crate::sql::{Diagnostic, SourceFile};

/// The whole error as text for stderr.
pub fn render(error: &Error) -> String {
    let theme = match (std::io::stderr().is_terminal(), has_colour()) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, _) => GraphicalTheme::none(),
    };
    render_with(error, theme)
}

/// Whether stderr is a terminal that shows colours.
pub fn has_colour() -> bool {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    is_wanted && std::io::stderr().is_terminal()
}

fn render_with(error: &Error, theme: GraphicalTheme) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(100)
        // Keys and paths stay whole: lines break between words only.
        .with_break_words(false)
        .with_word_separator(textwrap::WordSeparator::AsciiSpace)
        .with_word_splitter(textwrap::WordSplitter::NoHyphenation)
        .with_context_lines(1)
        .with_links(false);
    for diagnostic in &error.diagnostics {
        let mistake = Mistake::of(diagnostic);
        if handler.render_report(&mut text, &mistake).is_err() {
            let start = diagnostic.span.start;
            let _ = writeln!(
                text,
                "{}:{}:{}: {mistake}",
                diagnostic.file.name, start.line, start.column
            );
        }
        text.push('\n');
    }
    let _ = writeln!(text, "error: {}", error.message);
    let mut told = error.message.clone();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let message = inner.to_string();
        // Many errors repeat what caused them.
        if !told.contains(&message) {
            let _ = writeln!(text, "caused by: {message}");
            told = message;
        }
        cause = inner.source();
    }
    if let Some(help) = &error.help {
        let _ = writeln!(text, "help: {help}");
    }
    text
}

/// A mistake as miette takes it.
#[derive(Debug)]
struct Mistake {
    message: String,
    help: Option<String>,
    source: Source,
    /// Byte offset and length.
    place: Option<(usize, usize)>,
}

impl Mistake {
    fn of(diagnostic: &Diagnostic) -> Self {
        Self {
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            source: Source(Arc::clone(&diagnostic.file)),
            place: place(diagnostic),
        }
    }
}

/// A file whose columns count characters; miette by itself counts bytes.
#[derive(Debug)]
struct Source(Arc<SourceFile>);

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.0.text.read_span(span, lines_before, lines_after)?;
        let before = self.0.text.get(..read.span().offset()).unwrap_or_default();
        let column = before.chars().rev().take_while(|c| *c != '\n').count();
        let name = self.0.name.clone();
        let (span, line, lines) = (*read.span(), read.line(), read.line_count());
        Ok(Box::new(MietteSpanContents::new_named(
            name,
            read.data(),
            span,
            line,
            column,
            lines,
        )))
    }
}

/// The text at fault in bytes. Of more than one line only the first, so that a whole statement does not fill the screen.
fn place(diagnostic: &Diagnostic) -> Option<(usize, usize)> {
    let (start, end) = (diagnostic.span.start, diagnostic.span.end);
    let text = &diagnostic.file.text;
    let line_number = usize::try_from(start.line).ok()?.checked_sub(1)?;
    let mut offset = 0;
    let mut lines = text.split('\n');
    for _ in 0..line_number {
        offset += lines.next()?.len() + 1;
    }
    let line = lines.next()?.trim_end();
    let column = |number: u64| {
        let number = usize::try_from(number)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        line.char_indices()
            .nth(number)
            .map_or(line.len(), |(i, _)| i)
    };
    let from = column(start.column);
    let to = if end.line == start.line {
        column(end.column)
    } else {
        line.len()
    };
    Some((offset + from, to.saturating_sub(from)))
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl miette::Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.map(|_| &self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (offset, length) = self.place?;
        Some(Box::new(std::iter::once(LabeledSpan::new(
            None, offset, length,
        ))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sql::SourceFile;
    use sqlparser::tokenizer::{Location, Span};

    fn plain(error: &Error) -> String {
        render_with(error, GraphicalTheme::none())
    }

    #[test]
    fn a_mistake_shows_its_place_its_line_a_caret_and_advice() {
        let file = SourceFile::new("sql/02.sql", "SELECT 1;\n\nSELECT 'é', a\n\nFROM t;\n");
        let span = Span::new(Location::new(3, 13), Location::new(3, 14));
        let first =
            Diagnostic::new(&file, span, "column 'a' not found").with_help("did you mean 'b'?");
        let whole = Span::new(Location::new(3, 1), Location::new(5, 7));
        let second = Diagnostic::new(&file, whole, "something about all of it");
        let text = plain(&Error::sql(vec![first, second]));
        assert!(text.contains("[sql/02.sql:3:13]"), "{text}");
        assert!(
            text.contains("SELECT 'é', a") && text.contains("did you mean 'b'?"),
            "{text}"
        );
        assert!(text.contains('^') && !text.contains("FROM t"), "{text}");
        assert!(
            text.contains("something about all of it")
                && text.ends_with("error: 2 mistakes in the SQL\n"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn places_outside_the_text_are_no_panic() {
        let file = SourceFile::new("x", "SELECT");
        for (line, column) in [(0, 0), (1, 99), (9, 1)] {
            let at = Location::new(line, column);
            let text = plain(&Error::sql(vec![Diagnostic::new(
                &file,
                Span::new(at, at),
                "odd",
            )]));
            assert!(text.contains("odd"), "{text}");
        }
    }

    #[test]
    fn causes_and_help_follow_the_message() {
        let inner = std::io::Error::other("the disk is full");
        let error = Error::external("cannot write out.jsonl")
            .caused_by(inner)
            .with_help("make room");
        assert_eq!(
            plain(&error),
            "error: cannot write out.jsonl\ncaused by: the disk is full\nhelp: make room\n"
        );
        let told = Error::external("cannot write: the disk is full")
            .caused_by(std::io::Error::other("the disk is full"));
        assert_eq!(plain(&told), "error: cannot write: the disk is full\n");
    }
}
