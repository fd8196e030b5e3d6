//! Errors as gRPC statuses: whose fault it is as the code, mistakes in SQL as details.

use flowline_proto::v1::{Mistake, Mistakes};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::pb;

use super::jobs::Refused;
use crate::error::{Error, ErrorKind};

/// What details are called.
pub const MISTAKES: &str = "type.googleapis.com/flowline.control.v1.Mistakes";

/// Why something could not be done to a job.
pub fn refused(why: Refused) -> Status {
    match why {
        Refused::NotFound(name) => Status::not_found(format!("there is no job '{name}'")),
        Refused::Exists(name) => Status::already_exists(format!(
            "job '{name}' is there already, with other SQL or options: upgrade it, cancel it, or give this one another name"
        )),
        Refused::Wrong(message) => Status::failed_precondition(message),
        Refused::Failed(error) => status(&error),
    }
}

/// An error as a status.
pub fn status(error: &Error) -> Status {
    let code = match error.kind {
        ErrorKind::Usage => Code::InvalidArgument,
        ErrorKind::Data => Code::FailedPrecondition,
        ErrorKind::External => Code::Unavailable,
        ErrorKind::Fenced => Code::Aborted,
        ErrorKind::Limit => Code::ResourceExhausted,
        ErrorKind::Internal => Code::Internal,
    };
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !message.contains(&text) {
            message.push_str(&format!(": {text}"));
        }
        cause = inner.source();
    }
    if let Some(help) = &error.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    if error.diagnostics.is_empty() {
        return Status::new(code, message);
    }
    let mistakes = Mistakes {
        mistakes: error.diagnostics.iter().map(mistake).collect(),
    };
    let details = pb::Status {
        code: code.into(),
        // Clients show this one where there are details.
        message: message.clone(),
        details: vec![prost_types::Any {
            type_url: MISTAKES.to_string(),
            value: mistakes.encode_to_vec(),
        }],
    };
    Status::with_details(code, message, details.encode_to_vec().into())
}

fn mistake(diagnostic: &crate::sql::Diagnostic) -> Mistake {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let (start, end) = (diagnostic.span.start, diagnostic.span.end);
    Mistake {
        file: diagnostic.file.name.clone(),
        line: number(start.line),
        column: number(start.column),
        end_line: number(end.line),
        end_column: number(end.column),
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone().unwrap_or_default(),
    }
}
