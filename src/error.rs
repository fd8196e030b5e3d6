//! The one error type: what went wrong, where, whose fault it is and what to do.

use std::fmt;

use crate::sql::Diagnostic;

/// A result with flowline's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Whose fault an error is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A mistake in the SQL, an option or a flag: nothing was started.
    Usage,
    /// A row that cannot be processed.
    Data,
    /// A broker, file or other outside system failed.
    External,
    /// Another run of the same job has taken over.
    Fenced,
    /// More is asked for than may be had: memory, time, answers at once.
    Limit,
    /// A bug in flowline.
    Internal,
}

/// An error with its cause chain.
#[derive(Debug)]
pub struct Error {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// Where and what, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The mistakes in SQL files, where that is what went wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// What caused it.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            help: None,
            diagnostics: Vec::new(),
            cause: None,
        }
    }

    /// A mistake of the user's.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A row that cannot be processed.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// An outside system failed.
    pub fn external(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::External, message)
    }

    /// More is asked for than may be had.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// A bug.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
            .with_help("this is a bug in flowline: please report it with the SQL that shows it")
    }

    /// The mistakes of SQL files.
    pub fn sql(diagnostics: Vec<Diagnostic>) -> Self {
        let message = match diagnostics.len() {
            1 => "1 mistake in the SQL".to_string(),
            n => format!("{n} mistakes in the SQL"),
        };
        Self {
            diagnostics,
            ..Self::usage(message)
        }
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same error, its message led by where it happened.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The process exit code: 1 the job failed, 2 a usage or SQL mistake, 3 an outside system, 4 another run of the job took over, 70 a bug.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Data => 1,
            ErrorKind::Usage => 2,
            ErrorKind::External | ErrorKind::Limit => 3,
            ErrorKind::Fenced => 4,
            ErrorKind::Internal => 70,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for d in &self.diagnostics {
            let start = d.span.start;
            write!(
                f,
                "\n{}:{}:{}: {}",
                d.file.name, start.line, start.column, d.message
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|c| c.as_ref() as _)
    }
}

/// DataFusion's message without the layers of context that say nothing to a user.
pub fn datafusion_message(error: &datafusion::error::DataFusionError) -> String {
    use datafusion::error::DataFusionError as D;
    match error {
        D::Plan(m) | D::NotImplemented(m) | D::Execution(m) => m.clone(),
        D::ArrowError(e, _) => arrow_message(e),
        D::Context(_, inner) | D::Diagnostic(_, inner) => datafusion_message(inner),
        D::Shared(inner) => datafusion_message(inner),
        D::SchemaError(e, _) => e.to_string(),
        D::Collection(errors) => errors
            .iter()
            .map(datafusion_message)
            .collect::<Vec<_>>()
            .join("; "),
        D::External(e) => e.to_string(),
        other => other.strip_backtrace(),
    }
}

fn arrow_message(error: &arrow::error::ArrowError) -> String {
    use arrow::error::ArrowError as A;
    match error {
        A::ArithmeticOverflow(m) => {
            format!(
                "arithmetic overflow: {}",
                m.trim_start_matches("Overflow happened on: ")
            )
        }
        A::DivideByZero => "division by zero".to_string(),
        A::CastError(m) | A::ComputeError(m) | A::ParseError(m) | A::InvalidArgumentError(m) => {
            m.clone()
        }
        A::ExternalError(e) => e.to_string(),
        other => other.to_string(),
    }
}

impl From<datafusion::error::DataFusionError> for Error {
    /// While a job runs, DataFusion fails on values: overflow, a cast, a division by zero.
    fn from(error: datafusion::error::DataFusionError) -> Self {
        use datafusion::error::DataFusionError as D;
        let message = datafusion_message(&error);
        match error.find_root() {
            D::Internal(_) => Self::internal(message),
            _ => Self::data(message),
        }
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::data(arrow_message(&error))
    }
}
