//! Reading back how the dialect encodes table functions, their table arguments, hints and MATCH_RECOGNIZE's WITHIN.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName, Query, SetExpr, Spanned as _, TableAlias, TableFactor, Value,
};
use sqlparser::tokenizer::Span;

use super::ast::{Spanned, TableOption};

/// The symbol under which the DEFINE list of a MATCH_RECOGNIZE carries its WITHIN interval; no name can have a space.
pub(super) const WITHIN_SYMBOL: &str = "within interval";

/// A table given to a table function: `TABLE x [PARTITION BY ...]` or a subquery.
#[derive(Debug, Clone, Copy)]
pub struct TableArgument<'a> {
    /// The rows; for `TABLE x` it is `SELECT * FROM x`.
    pub query: &'a Query,
    /// PARTITION BY, or nothing.
    pub partition_by: &'a [Expr],
}

/// A call of a table function in FROM, in whichever form it was written.
#[derive(Debug, Clone)]
pub struct TableFunctionCall<'a> {
    /// The function's name.
    pub name: &'a ObjectName,
    /// Its arguments in order; the name of `name => value` as it was written.
    pub args: Vec<(Option<String>, &'a Expr)>,
    /// AS, with column names where given.
    pub alias: Option<&'a TableAlias>,
    /// LATERAL was written.
    pub lateral: bool,
    /// WITH ORDINALITY was written.
    pub with_ordinality: bool,
    /// The whole item.
    pub span: Span,
}

/// The table that an argument is, if it is one.
pub fn table_argument(expr: &Expr) -> Option<TableArgument<'_>> {
    let Expr::Subquery(query) = expr else {
        return None;
    };
    let partition_by = match query.body.as_ref() {
        SetExpr::Select(select) => select.distribute_by.as_slice(),
        _ => &[],
    };
    Some(TableArgument {
        query,
        partition_by,
    })
}

/// The call that an item of FROM is, if it is one: `TABLE(f(...))`, `LATERAL TABLE(f(...))` or `f(...)`.
pub fn table_function_call(factor: &TableFactor) -> Option<TableFunctionCall<'_>> {
    let (name, args, alias, lateral, with_ordinality) = match factor {
        TableFactor::TableFunction {
            expr: Expr::Function(function),
            alias,
        } => {
            let args = function_arguments(function)?;
            (&function.name, args, alias, false, false)
        }
        TableFactor::Function {
            lateral,
            name,
            args,
            with_ordinality,
            alias,
        } => {
            let wrapped = match args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(inner)))]
                    if is_table_word(name) =>
                {
                    Some(inner)
                }
                _ => None,
            };
            match wrapped {
                Some(inner) => (
                    &inner.name,
                    function_arguments(inner)?,
                    alias,
                    *lateral,
                    *with_ordinality,
                ),
                None => (name, args.as_slice(), alias, *lateral, *with_ordinality),
            }
        }
        TableFactor::Table {
            name,
            alias,
            args: Some(args),
            with_ordinality,
            ..
        } => (name, args.args.as_slice(), alias, false, *with_ordinality),
        _ => return None,
    };
    let args = args.iter().map(argument).collect::<Option<Vec<_>>>()?;
    let span = factor.span();
    Some(TableFunctionCall {
        name,
        args,
        alias: alias.as_ref(),
        lateral,
        with_ordinality,
        span,
    })
}

fn is_table_word(name: &ObjectName) -> bool {
    let [part] = name.0.as_slice() else {
        return false;
    };
    part.as_ident().is_some_and(|ident| {
        ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("TABLE")
    })
}

fn function_arguments(function: &Function) -> Option<&[FunctionArg]> {
    match &function.args {
        FunctionArguments::None => Some(&[]),
        FunctionArguments::List(list) if list.clauses.is_empty() => Some(&list.args),
        _ => None,
    }
}

fn argument(arg: &FunctionArg) -> Option<(Option<String>, &Expr)> {
    let (name, value) = match arg {
        FunctionArg::Named { name, arg, .. } => (Some(name.value.clone()), arg),
        FunctionArg::ExprNamed { name, arg, .. } => (Some(name.to_string()), arg),
        FunctionArg::Unnamed(arg) => (None, arg),
    };
    match value {
        FunctionArgExpr::Expr(expr) => Some((name, expr)),
        _ => None,
    }
}

/// The columns of a `DESCRIPTOR(a, b)` argument.
pub fn descriptor_columns(expr: &Expr) -> Option<Vec<&Ident>> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let [part] = function.name.0.as_slice() else {
        return None;
    };
    if !part.as_ident()?.value.eq_ignore_ascii_case("DESCRIPTOR") {
        return None;
    }
    function_arguments(function)?
        .iter()
        .map(|arg| match argument(arg)? {
            (None, Expr::Identifier(ident)) => Some(ident),
            _ => None,
        })
        .collect()
}

/// The options of a `/*+ OPTIONS('k'='v', ...) */` hint after a table's name in FROM; empty without a hint.
pub fn table_options_hint(factor: &TableFactor) -> Result<Vec<TableOption>, String> {
    let TableFactor::Table { with_hints, .. } = factor else {
        return Ok(Vec::new());
    };
    let mut options = Vec::new();
    for hint in with_hints {
        match hint {
            Expr::Function(function)
                if function.name.to_string().eq_ignore_ascii_case("OPTIONS") =>
            {
                for arg in function_arguments(function).unwrap_or_default() {
                    options.push(
                        argument(arg)
                            .and_then(|(_, expr)| option_of(expr))
                            .ok_or_else(|| {
                                format!("OPTIONS takes 'key' = 'value' pairs, not {arg}")
                            })?,
                    );
                }
            }
            other => return Err(format!("the table hint {other} is not supported")),
        }
    }
    Ok(options)
}

fn option_of(expr: &Expr) -> Option<TableOption> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = expr
    else {
        return None;
    };
    Some(TableOption {
        key: string_of(left)?,
        value: string_of(right)?,
    })
}

fn string_of(expr: &Expr) -> Option<Spanned<String>> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(Spanned {
                value: text.clone(),
                span: value.span,
            }),
            _ => None,
        },
        _ => None,
    }
}

/// The interval of `PATTERN (...) WITHIN INTERVAL ...`; DEFINE carries it as a last symbol, which this also tells apart:
/// `symbols` without the one whose definition is returned are the user's.
pub fn match_within(factor: &TableFactor) -> Option<&Expr> {
    let TableFactor::MatchRecognize { symbols, .. } = factor else {
        return None;
    };
    symbols
        .iter()
        .find(|s| s.symbol.value == WITHIN_SYMBOL)
        .map(|s| &s.definition)
}
