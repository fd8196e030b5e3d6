//! A file taken into a session: its statements one after another, and of its mistakes those that do not only follow from others.

use std::sync::Arc;

use sqlparser::tokenizer::Span;

use super::{Message, Session};
use crate::error::{Error, Result};
use crate::planner::object_name;
use crate::sql::ast::StatementKind;
use crate::sql::{Diagnostic, SourceFile, deep};

impl Session {
    /// Takes the statements of a file: declarations at once, INSERTs and SELECTs to be run as one job later.
    ///
    /// # Errors
    /// All mistakes of the file.
    pub fn load(&mut self, file: &Arc<SourceFile>) -> Result<Vec<Message>> {
        deep(|| self.load_where(file, |_| true))
    }

    /// Takes the declarations and settings of a file, and leaves out its INSERTs and SELECTs.
    ///
    /// # Errors
    /// All mistakes of what is taken.
    pub fn declare(&mut self, file: &Arc<SourceFile>) -> Result<Vec<Message>> {
        let declares = |kind: &StatementKind| {
            !matches!(
                kind,
                StatementKind::Query(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_)
            )
        };
        deep(|| self.load_where(file, declares))
    }

    fn load_where(
        &mut self,
        file: &Arc<SourceFile>,
        is_taken: impl Fn(&StatementKind) -> bool,
    ) -> Result<Vec<Message>> {
        let (script, mut mistakes) = crate::sql::parse_all(file);
        self.is_cut |= !mistakes.is_empty();
        let mut messages = Vec::new();
        let mut following = Vec::new();
        let taken = script.statements.iter().filter(|s| is_taken(&s.kind));
        for statement in taken {
            match self.statement(&script, statement) {
                Ok(said) => messages.extend(said),
                Err(mut found) => {
                    // What is about the statement as a whole is shown at its beginning.
                    for mistake in &mut found {
                        if mistake.span == Span::empty() {
                            mistake.file = Arc::clone(file);
                            mistake.span = Span::new(statement.span.start, statement.span.start);
                        }
                    }
                    let (known, new): (Vec<_>, Vec<_>) =
                        found.into_iter().partition(|d| self.is_told(d));
                    following.extend(known);
                    mistakes.extend(new);
                    if let StatementKind::CreateTable(create) = &statement.kind {
                        self.broken.insert(object_name(&create.name));
                    } else if let StatementKind::CreateView(create) = &statement.kind {
                        self.broken.insert(object_name(&create.name));
                    }
                }
            }
        }
        if mistakes.is_empty() {
            mistakes = following;
        }
        mistakes.sort_by_key(|d| d.span.start);
        // What else is wrong at the same place follows from the first.
        mistakes
            .dedup_by(|next, first| next.file == first.file && next.span.start == first.span.start);
        if mistakes.is_empty() {
            Ok(messages)
        } else {
            Err(Error::sql(mistakes))
        }
    }

    /// Whether a mistake only follows from another one that is told: a name is not found because its CREATE could not be taken.
    fn is_told(&self, mistake: &Diagnostic) -> bool {
        let misses = |name: &String| mistake.message.contains(&format!("'{name}'"));
        mistake.message.contains("not found") && (self.is_cut || self.broken.iter().any(misses))
    }
}
