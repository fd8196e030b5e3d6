//! CAST and TRY_CAST between all of Flink's types, with Flink's values.
//!
//! A [`Cast`] says what it can do before it is run, and is run as a DataFusion function of one argument.

mod bytes;
mod convert;
mod decimals;
mod failures;
mod numbers;
mod parse;
pub(crate) mod print;
mod rules;
mod texts;
mod times;
mod types;
mod udf;
mod values;
mod zone;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod print_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod recorded_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

pub use rules::is_implicit;
pub use types::{Type, time_unit};
pub(crate) use types::{sql_name, sql_names};
pub use udf::of;

/// One CAST.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cast {
    /// The type of the argument.
    pub from: Type,
    /// The type asked for.
    pub to: Type,
    /// What becomes of a value that has no cast.
    pub failure: Failure,
    /// What becomes of a whole number that does not fit.
    pub overflow: Overflow,
}

/// What becomes of a value that has no cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// An error that names the value: CAST.
    Error,
    /// NULL: TRY_CAST.
    Null,
}

/// What becomes of a number that does not fit a type of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// It goes on from the other end, as in Flink; a FLOAT or DOUBLE beyond INT or BIGINT stops at its end.
    Wrap,
    /// It has no cast: see [`Failure`].
    Error,
}
