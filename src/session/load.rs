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

    /// Takes the statements of several files and plans what they run. `interval`: how often checkpoints are taken where nothing
    /// else is set.
    ///
    /// # Errors
    /// All mistakes of all of them, each once.
    pub fn load_all(
        &mut self,
        files: &[Arc<SourceFile>],
        interval: Option<&str>,
    ) -> Result<Vec<Message>> {
        let mut said = Vec::new();
        let mut mistakes: Vec<Diagnostic> = Vec::new();
        for file in files {
            match self.load(file) {
                Ok(messages) => said.extend(messages),
                Err(error) if error.diagnostics.is_empty() => return Err(error),
                Err(error) => mistakes.extend(error.diagnostics),
            }
        }
        if let Some(interval) = interval.filter(|_| self.settings.checkpoint_interval().is_none()) {
            self.fix("execution.checkpointing.interval", interval)?;
        }
        if let Err(error) = self.graph() {
            if error.diagnostics.is_empty() && mistakes.is_empty() {
                return Err(error);
            }
            mistakes.extend(error.diagnostics);
        }
        let mut told: Vec<Diagnostic> = Vec::new();
        for mistake in mistakes {
            if !told.contains(&mistake) {
                told.push(mistake);
            }
        }
        if told.is_empty() {
            Ok(said)
        } else {
            Err(Error::sql(told))
        }
    }

    /// Sets a value that goes over what the files say.
    ///
    /// # Errors
    /// No such setting; a value that it cannot have.
    pub fn fix(&mut self, key: &str, value: &str) -> Result<Option<Message>> {
        let set = self.settings.fix(key, value).map_err(|e| {
            let error = Error::usage(format!("a setting from outside: {}", e.message));
            match e.help {
                Some(help) => error.with_help(help),
                None => error,
            }
        })?;
        Ok(set.map(Message::Note))
    }

    /// Takes the SETs of a file, and leaves out everything else.
    ///
    /// # Errors
    /// Settings that there are not; values that they cannot have.
    pub fn set_from(&mut self, file: &Arc<SourceFile>) -> Result<()> {
        let sets = |kind: &StatementKind| matches!(kind, StatementKind::Set(Some(_)));
        self.load_where(file, sets).map(|_| ())
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
