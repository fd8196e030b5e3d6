//! Text to spanned AST: Flink's dialect of SQL, parsed without a catalog and without IO.

pub mod ast;
mod ddl;
mod depth;
mod diagnostic;
mod dialect;
mod failure;
mod interval;
mod parameters;
mod parser;
mod precedence;
mod query;
mod reserved;
mod special;
mod table_function;
mod tokens;
mod type_text;
mod typed;
mod types;
mod utility;
mod words;

#[cfg(test)]
mod tests;

pub use depth::deep;
pub use diagnostic::{Diagnostic, SourceFile};
pub use dialect::FlinkDialect;
pub use parameters::{count_parameters, with_parameters};
pub use parser::{parse_all, parse_script};
pub use reserved::is_reserved;
pub use table_function::{
    TableArgument, TableFunctionCall, descriptor_columns, match_within, table_argument,
    table_function_call, table_options_hint,
};
pub use type_text::{parse_type_text, sql_type_of};
pub use typed::{Look, Pieces, given_options, looks, pieces};
pub use types::parse_data_type;

/// A name as SQL takes it whatever stands in it.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
