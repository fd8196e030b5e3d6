//! Calls of functions.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::type_coercion::functions::{UDFCoercionExt, fields_with_udf};
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, Operator, ReturnFieldArgs, TypeSignature,
};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned};
use sqlparser::tokenizer::Span;
use std::sync::Arc;

use super::failures::can_fail;
use super::scope::Scope;
use super::{Binder, Bound, Typed};
use crate::planner::types::{arrow_type, plain_type, sql_type};
use crate::sql::ast::{SqlType, SqlTypeKind as Kind};

/// What else stands in the parentheses and after them.
#[derive(Debug, Default)]
pub(super) struct Extras<'e> {
    pub distinct: bool,
    pub wildcard: bool,
    pub filter: Option<&'e ast::Expr>,
}

/// Functions of Flink's that flowline has not got yet.
const NOT_YET: &[&str] = &[
    "COLLECT",
    "CURRENT_DATABASE",
    "JSON_ARRAYAGG",
    "JSON_OBJECTAGG",
    "PERCENTILE",
    "SOURCE_WATERMARK",
];

/// What functions of other databases are called in Flink SQL.
const OF_OTHERS: &[(&str, &str)] = &[
    ("ARRAY_LENGTH", "CARDINALITY(x)"),
    ("CHARINDEX", "LOCATE(part, x)"),
    ("DATEADD", "TIMESTAMPADD(unit, n, x)"),
    ("DATEDIFF", "TIMESTAMPDIFF(unit, from, to)"),
    ("DATE_DIFF", "TIMESTAMPDIFF(unit, from, to)"),
    ("DATE_PART", "EXTRACT(unit FROM x)"),
    ("DATE_TRUNC", "FLOOR(x TO unit)"),
    ("GETDATE", "CURRENT_TIMESTAMP"),
    ("GROUP_CONCAT", "LISTAGG(x, separator)"),
    ("IIF", "IF(condition, a, b)"),
    ("ISNULL", "COALESCE(x, y), or x IS NULL"),
    ("LEN", "CHAR_LENGTH(x)"),
    ("LENGTH", "CHAR_LENGTH(x)"),
    ("MEAN", "AVG(x)"),
    ("NVL", "COALESCE(x, y)"),
    ("STRING_AGG", "LISTAGG(x, separator)"),
    ("STRPOS", "LOCATE(part, x)"),
    ("SYSDATE", "CURRENT_TIMESTAMP"),
    ("TO_CHAR", "DATE_FORMAT(x, pattern), or CAST(x AS STRING)"),
    ("TO_NUMBER", "CAST(x AS DECIMAL(p, s))"),
    ("TRUNC", "TRUNCATE(x, digits), of times FLOOR(x TO unit)"),
];

impl Binder<'_> {
    pub(super) fn call(&mut self, call: &ast::Function, scope: &Scope<'_>) -> Bound<Typed> {
        let span = call.span();
        let name = function_name(&call.name);
        let (args, extras) = self.arguments(call, &name)?;
        if call.over.is_some() {
            return self.over(call, &name, &args, &extras, scope);
        }
        if name == "GROUPING" || name == "GROUPING_ID" {
            let args = self.bind_all(&args, scope)?;
            return self.grouping(args, span);
        }
        if let Some(function) = self
            .context
            .functions
            .aggregate(&name, self.context.checked)
        {
            return self.aggregate(function, &name, &args, &extras, scope, span);
        }
        if extras.distinct || extras.wildcard || extras.filter.is_some() {
            return Err(self.mistake(
                span,
                format!("DISTINCT, * and FILTER go with aggregate functions, which {name} is not"),
            ));
        }
        if !self.context.functions.is_callable(&name) {
            return Err(self.unknown_function(&call.name.to_string(), span));
        }
        let args = self.bind_all(&args, scope)?;
        let wrong = |n: &str| {
            self.mistake(
                span,
                format!("{name}: {}, expected {n}", arguments(args.len())),
            )
        };
        match (name.as_str(), args.len()) {
            ("ROW", _) => self.row(args, span),
            ("MOD", 2) => match <[Typed; 2]>::try_from(args) {
                Ok([a, b]) => self.arithmetic(a, Operator::Modulo, b, span),
                Err(_) => Err(self.mistake(span, "MOD takes 2 arguments")),
            },
            ("COALESCE", 0) => Err(wrong("at least 1")),
            ("COALESCE", _) => self.coalesce(args, &name, span),
            ("IFNULL", 2) => self.coalesce(args, &name, span),
            ("IFNULL", _) | ("NULLIF", 0 | 1 | 3..) => Err(wrong("2")),
            ("NULLIF", _) => self.null_if(args, span),
            ("IF", 3) => {
                let mut args = args.into_iter();
                let (Some(condition), yes_no) = (args.next(), args.collect()) else {
                    return Err(self.mistake(span, "IF takes a condition"));
                };
                let condition = self.condition(condition, "IF", span)?;
                let yes_no: Vec<Typed> = yes_no;
                if let Some(nested) = yes_no.iter().find(|v| super::kinds::is_nested(&v.ty.kind)) {
                    return Err(self.mistake_with(
                        span,
                        format!("IF takes no values of type {}", nested.ty.kind),
                        "CASE WHEN condition THEN a ELSE b END does",
                    ));
                }
                self.choose(vec![condition], yes_no, "IF", span)
            }
            ("IF", _) => Err(wrong("3")),
            ("GREATEST" | "LEAST", 1..) => {
                let (args, _) = self.in_common(args, &name, span)?;
                self.scalar(&name, args, scope, span)
            }
            ("TYPEOF", 1 | 2) => {
                let shown = args.first().map(|a| a.ty.to_string()).unwrap_or_default();
                Ok(Typed::new(
                    Expr::Literal(ScalarValue::from(shown), None),
                    Kind::String,
                    false,
                ))
            }
            _ => self.scalar(&name, args, scope, span),
        }
    }

    fn bind_all(&mut self, args: &[&ast::Expr], scope: &Scope<'_>) -> Bound<Vec<Typed>> {
        args.iter().map(|a| self.expr(a, scope)).collect()
    }

    /// The arguments of a call, and what else its parentheses say.
    fn arguments<'e>(
        &self,
        call: &'e ast::Function,
        name: &str,
    ) -> Bound<(Vec<&'e ast::Expr>, Extras<'e>)> {
        let span = call.span();
        let mut extras = Extras {
            filter: call.filter.as_deref(),
            ..Extras::default()
        };
        if call.null_treatment.is_some() {
            return Err(self.ignore_nulls(span));
        }
        if !call.within_group.is_empty() {
            return Err(self.unsupported(span, "WITHIN GROUP", "leave it out"));
        }
        let list = match &call.args {
            FunctionArguments::None => return Ok((Vec::new(), extras)),
            FunctionArguments::Subquery(query) => {
                return Err(self.mistake(query.span(), format!("{name} takes values, not a query")));
            }
            FunctionArguments::List(list) => list,
        };
        extras.distinct = matches!(
            list.duplicate_treatment,
            Some(ast::DuplicateTreatment::Distinct)
        );
        if let Some(clause) = list.clauses.first() {
            return Err(match clause {
                ast::FunctionArgumentClause::IgnoreOrRespectNulls(_) => self.ignore_nulls(span),
                ast::FunctionArgumentClause::OrderBy(_) => self.unsupported(
                    span,
                    "ORDER BY inside an aggregate",
                    "leave it out: rows are taken in the order in which they arrive",
                ),
                other => self.unsupported(span, &other.to_string(), "leave it out"),
            });
        }
        let mut args = Vec::new();
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => args.push(e),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => extras.wildcard = true,
                other => {
                    return Err(self.mistake_with(
                        span,
                        format!("{name} takes its arguments by place, not {other}"),
                        "leave the names out",
                    ));
                }
            }
        }
        Ok((args, extras))
    }

    fn ignore_nulls(&self, span: Span) -> Box<crate::sql::Diagnostic> {
        self.unsupported(
            span,
            "IGNORE NULLS",
            "leave out NULLs in a WHERE before, or keep them: RESPECT NULLS is what happens without it",
        )
    }

    /// A call of a scalar function with its arguments bound.
    pub(super) fn scalar(
        &self,
        name: &str,
        args: Vec<Typed>,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        let Some(function) = self.context.functions.scalar(name) else {
            return Err(self.unknown_function(name, span));
        };
        let args = self.coerced(function.as_ref(), args, span)?;
        if function.short_circuits() {
            let args = args.into_iter().map(|a| a.expr).collect();
            let context = SimplifyContext::builder().build();
            let expr = match self.datafusion(span, function.simplify(args, &context))? {
                ExprSimplifyResult::Simplified(expr) => expr,
                ExprSimplifyResult::Original(args) => function.call(args),
            };
            return self.typed_by_arrow(expr, scope, span);
        }
        // The result follows from what the arguments are known to be: nothing beneath them is looked at again.
        let fields: Vec<FieldRef> = args
            .iter()
            .map(|a| Arc::new(Field::new("", arrow_type(&a.ty), a.ty.nullable)))
            .collect();
        let constants: Vec<Option<&ScalarValue>> = args
            .iter()
            .map(|a| match &a.expr {
                Expr::Literal(value, _) => Some(value),
                _ => None,
            })
            .collect();
        let field = function.return_field_from_args(ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: &constants,
        });
        let field = self.datafusion(span, field)?;
        let expr = function.call(args.into_iter().map(|a| a.expr).collect());
        Ok(of_field(expr, &field))
    }

    /// An expression whose type DataFusion knows.
    pub(super) fn typed_by_arrow(&self, expr: Expr, scope: &Scope<'_>, span: Span) -> Bound<Typed> {
        let field = self.datafusion(span, expr.to_field(scope.schema))?.1;
        Ok(of_field(expr, &field))
    }

    /// Arguments as what a function takes.
    pub(super) fn coerced<F: UDFCoercionExt>(
        &self,
        function: &F,
        args: Vec<Typed>,
        span: Span,
    ) -> Bound<Vec<Typed>> {
        if args.is_empty() {
            // A function that takes none says so; any other names what is missing.
            let takes_none = matches!(
                function.signature().type_signature,
                TypeSignature::Nullary | TypeSignature::VariadicAny
            );
            if !takes_none {
                self.datafusion(span, function.coerce_types(&[]))?;
            }
            return Ok(args);
        }
        let fields: Vec<FieldRef> = args
            .iter()
            .map(|a| Arc::new(Field::new("", arrow_type(&a.ty), a.ty.nullable)))
            .collect();
        let wanted = self.datafusion(span, fields_with_udf(&fields, function))?;
        args.into_iter()
            .zip(wanted)
            .map(|(arg, field)| {
                let have = arrow_type(&arg.ty);
                match field.data_type() {
                    same if *same == have => Ok(arg),
                    // Text and bytes in other layouts are DataFusion's affair.
                    DataType::Utf8View | DataType::LargeUtf8 | DataType::BinaryView => {
                        let cast = Cast::new(Box::new(arg.expr), field.data_type().clone());
                        Ok(Typed {
                            expr: Expr::Cast(cast),
                            ty: arg.ty,
                        })
                    }
                    other => {
                        let wanted = sql_type(&plain_type(other));
                        let cast = self.as_kind(arg, &wanted.kind, span)?;
                        Ok(if arrow_type(&cast.ty) == *other {
                            cast
                        } else {
                            Typed {
                                expr: Expr::Cast(Cast::new(Box::new(cast.expr), other.clone())),
                                ty: cast.ty,
                            }
                        })
                    }
                }
            })
            .collect()
    }

    /// The first that is not NULL; the later ones are evaluated only where they are needed.
    /// The first argument that is not NULL. Where a later one can fail it is evaluated only for the rows that come to it.
    fn coalesce(&self, args: Vec<Typed>, name: &str, span: Span) -> Bound<Typed> {
        let nullable = args.iter().all(|a| a.ty.nullable);
        let (mut args, kind) = match args.len() {
            1 => (args, Kind::Null),
            _ => self.in_common(args, name, span)?,
        };
        // What comes after a value that is never NULL is never taken.
        if let Some(last) = args.iter().position(|a| !a.ty.nullable) {
            args.truncate(last + 1);
        }
        if args.len() == 1
            && let Some(only) = args.pop()
        {
            return Ok(only);
        }
        let mut chosen = match self.context.functions.scalar("COALESCE") {
            Some(function)
                if kind != Kind::Null && !args[1..].iter().any(|a| can_fail(&a.expr)) =>
            {
                let args = args.into_iter().map(|a| a.expr).collect();
                Typed::new(function.call(args), kind, nullable)
            }
            _ => {
                let mut conditions = Vec::new();
                for arg in &args[..args.len() - 1] {
                    self.may_repeat(arg, 2, name, span)?;
                    let given = Expr::IsNotNull(Box::new(arg.expr.clone()));
                    conditions.push(Typed::boolean(given, false));
                }
                self.choose(conditions, args, name, span)?
            }
        };
        chosen.ty.nullable = nullable;
        Ok(chosen)
    }

    fn null_if(&self, args: Vec<Typed>, span: Span) -> Bound<Typed> {
        let Ok([a, b]) = <[Typed; 2]>::try_from(args) else {
            return Err(self.mistake(span, "NULLIF takes 2 arguments"));
        };
        let kind = a.ty.kind.clone();
        self.may_repeat(&a, 2, "NULLIF", span)?;
        let same = self.equal(a.clone(), b, span)?;
        let null = self.null(&kind, span)?;
        self.choose(vec![same], vec![null, a], "NULLIF", span)
    }

    fn unknown_function(&self, name: &str, span: Span) -> Box<crate::sql::Diagnostic> {
        let upper = name.to_uppercase();
        if self.context.functions.window(&upper).is_some() {
            return self.mistake_with(
                span,
                format!("{upper} needs an OVER clause"),
                format!("write {upper}(...) OVER (PARTITION BY ... ORDER BY ...)"),
            );
        }
        if upper == "CURRENT_WATERMARK" {
            return self.unsupported(span, &upper, "the system tables will show watermarks");
        }
        let window = upper.split('_').next().unwrap_or_default();
        let part = upper.strip_prefix(window).unwrap_or_default();
        if matches!(window, "TUMBLE" | "HOP" | "SESSION")
            && matches!(part, "" | "_START" | "_END" | "_ROWTIME" | "_PROCTIME")
        {
            return self.mistake_with(
                span,
                match part {
                    "" => format!("GROUP BY {window}(...), a group window, is not supported yet"),
                    _ => format!("{upper} of GROUP BY {window}(...), a group window, is not supported yet"),
                },
                "use the table function: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) ... GROUP BY window_start, window_end",
            );
        }
        if NOT_YET.contains(&upper.as_str()) {
            return self.unsupported(span, &upper, "COMPAT.md lists what is");
        }
        let message = format!("Function '{name}' not found");
        if let Some((_, ours)) = OF_OTHERS.iter().find(|(theirs, _)| *theirs == upper) {
            return self.mistake_with(span, message, format!("in Flink SQL it is {ours}"));
        }
        match self.context.functions.closest(name) {
            Some(near) => self.mistake_with(
                span,
                message,
                format!("did you mean '{}'?", near.to_uppercase()),
            ),
            None => self.mistake_with(span, message, "SHOW FUNCTIONS lists what there is"),
        }
    }
}

/// An expression of the type of a field, in the layout that flowline has for it.
fn of_field(expr: Expr, field: &Field) -> Typed {
    let plain = plain_type(field.data_type());
    let expr = if &plain == field.data_type() {
        expr
    } else {
        Expr::Cast(Cast::new(Box::new(expr), plain.clone()))
    };
    Typed {
        expr,
        ty: SqlType {
            nullable: field.is_nullable(),
            ..sql_type(&plain)
        },
    }
}

/// The name of a function as it is looked up: without catalog and database, in upper case.
pub(super) fn function_name(name: &ast::ObjectName) -> String {
    crate::planner::object_name(name).to_uppercase()
}

fn arguments(count: usize) -> String {
    format!("{count} argument{}", if count == 1 { "" } else { "s" })
}
