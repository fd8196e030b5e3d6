//! Mistakes in a SQL file: where they are, what is wrong and what to write instead.

use std::sync::Arc;

use sqlparser::tokenizer::Span;

/// One SQL text and the name a person knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as the user gave it, or `<command line>`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// A named text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
        })
    }
}

/// One mistake, pointing at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file the span counts in.
    pub file: Arc<SourceFile>,
    /// Line and column (both from 1, in characters) of the text at fault; an empty span means the whole statement is meant.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be said.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake without advice.
    pub fn new(file: &Arc<SourceFile>, span: Span, message: impl Into<String>) -> Self {
        Self {
            file: Arc::clone(file),
            span,
            message: message.into(),
            help: None,
        }
    }

    /// The same mistake with advice on what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
