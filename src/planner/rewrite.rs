//! Where Flink's typing differs from DataFusion's: column names, literal types, decimals, casts to text, overflow.

use std::sync::Arc;

use super::types::flink_name;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, ExprSchemable, GroupingSet, Like, LogicalPlan, LogicalPlanBuilder,
    Operator, ScalarUDF, TryCast,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions as physical;
use sqlparser::ast::{self, Query, SelectItem, SetExpr, VisitMut, VisitorMut};

/// Gives the unnamed expressions of every SELECT list Flink's names, EXPR$0, EXPR$1 ... by position.
pub fn name_columns(query: &mut Query) {
    struct Namer;
    impl VisitorMut for Namer {
        type Break = ();
        fn pre_visit_query(&mut self, query: &mut Query) -> std::ops::ControlFlow<()> {
            fetch_as_limit(query);
            name_body(&mut query.body);
            std::ops::ControlFlow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> std::ops::ControlFlow<()> {
            cut_to_length(expr);
            tuple_in(expr);
            similar_to(expr);
            // A number with an exponent is a DOUBLE.
            if let ast::Expr::Value(value) = expr
                && let ast::Value::Number(number, _) = &value.value
                && number.contains(['e', 'E'])
            {
                let text = ast::Value::SingleQuotedString(number.clone()).with_span(value.span);
                *expr = ast::Expr::Cast {
                    kind: ast::CastKind::Cast,
                    expr: Box::new(ast::Expr::Value(text)),
                    data_type: ast::DataType::Double(ast::ExactNumberInfo::None),
                    array: false,
                    format: None,
                };
            }
            // GROUPING_ID is another name of GROUPING.
            if let ast::Expr::Function(function) = expr
                && function
                    .name
                    .to_string()
                    .eq_ignore_ascii_case("GROUPING_ID")
            {
                function.name = ast::ObjectName::from(vec![ast::Ident::new("grouping")]);
            }
            // ROW(a, b) has fields EXPR$0, EXPR$1.
            if let ast::Expr::Function(function) = expr
                && function.name.to_string().eq_ignore_ascii_case("ROW")
                && let ast::FunctionArguments::List(list) = &mut function.args
            {
                function.name = ast::ObjectName::from(vec![ast::Ident::new("named_struct")]);
                let args = std::mem::take(&mut list.args);
                list.args = args
                    .into_iter()
                    .enumerate()
                    .flat_map(|(i, arg)| {
                        let name =
                            ast::Value::SingleQuotedString(format!("EXPR${i}")).with_empty_span();
                        let name = ast::FunctionArgExpr::Expr(ast::Expr::Value(name));
                        [ast::FunctionArg::Unnamed(name), arg]
                    })
                    .collect();
            }
            // A field behind a dot is a name; DataFusion takes it as a text.
            if let ast::Expr::CompoundFieldAccess { access_chain, .. } = expr {
                for access in access_chain {
                    if let ast::AccessExpr::Dot(ast::Expr::Identifier(field)) = access {
                        let name = ast::Value::SingleQuotedString(field.value.clone())
                            .with_span(field.span);
                        *access = ast::AccessExpr::Dot(ast::Expr::Value(name));
                    }
                }
            }
            std::ops::ControlFlow::Continue(())
        }
    }
    let _ = query.visit(&mut Namer);
}

/// INTERSECT ALL or EXCEPT ALL somewhere in a query: DataFusion does not count how often a row is there.
pub fn multiset_operation(query: &Query) -> Option<ast::SetOperator> {
    fn within(body: &SetExpr) -> Option<ast::SetOperator> {
        match body {
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                let counts = *op != ast::SetOperator::Union
                    && matches!(
                        set_quantifier,
                        ast::SetQuantifier::All | ast::SetQuantifier::AllByName
                    );
                counts
                    .then_some(*op)
                    .or_else(|| within(left))
                    .or_else(|| within(right))
            }
            SetExpr::Query(query) => within(&query.body),
            _ => None,
        }
    }
    struct Finder(Option<ast::SetOperator>);
    impl ast::Visitor for Finder {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> std::ops::ControlFlow<()> {
            self.0 = self.0.or_else(|| within(&query.body));
            std::ops::ControlFlow::Continue(())
        }
    }
    let mut finder = Finder(None);
    let _ = ast::Visit::visit(query, &mut finder);
    finder.0
}

/// FETCH FIRST n ROWS ONLY is LIMIT n.
fn fetch_as_limit(query: &mut Query) {
    let Some(fetch) = query.fetch.take_if(|f| !f.with_ties && !f.percent) else {
        return;
    };
    let one = ast::Expr::Value(ast::Value::Number("1".into(), false).with_empty_span());
    let rows = fetch.quantity.unwrap_or(one);
    match &mut query.limit_clause {
        Some(ast::LimitClause::LimitOffset {
            limit: limit @ None,
            ..
        }) => *limit = Some(rows),
        clause @ None => {
            *clause = Some(ast::LimitClause::LimitOffset {
                limit: Some(rows),
                offset: None,
                limit_by: Vec::new(),
            });
        }
        // LIMIT and FETCH together: refused as it stands.
        Some(_) => {
            query.fetch = Some(ast::Fetch {
                with_ties: false,
                percent: false,
                quantity: Some(rows),
            });
        }
    }
}

fn name_body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            let mut taken: Vec<String> = Vec::new();
            let mut behind_star = false;
            for (i, item) in select.projection.iter_mut().enumerate() {
                let (expr, name) = match item {
                    SelectItem::Wildcard(_) => {
                        behind_star = true;
                        continue;
                    }
                    SelectItem::QualifiedWildcard(..) => break,
                    SelectItem::ExprWithAliases { .. } => continue,
                    SelectItem::ExprWithAlias { expr, alias } => (expr, alias.value.clone()),
                    SelectItem::UnnamedExpr(expr) => {
                        let name = column_name(expr).unwrap_or_else(|| format!("EXPR${i}"));
                        (expr, name)
                    }
                };
                // A name given twice gets a number, as Calcite does.
                let is_column = matches!(
                    expr,
                    ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_)
                );
                let unique = if taken.contains(&name) || behind_star && is_column {
                    (0..)
                        .map(|n| format!("{name}{n}"))
                        .find(|n| !taken.contains(n))
                        .unwrap_or_default()
                } else {
                    name.clone()
                };
                if unique != name || !is_column {
                    let alias = ast::Ident::with_quote('`', unique.clone());
                    *item = SelectItem::ExprWithAlias {
                        expr: expr.clone(),
                        alias,
                    };
                }
                taken.push(unique);
            }
        }
        SetExpr::SetOperation { left, .. } => name_body(left),
        _ => {}
    }
}

/// `(a, b) IN (SELECT ...)`: DataFusion compares single values, so it becomes EXISTS over the rows that are equal. Where a NULL
/// makes the one unknown the other is false; a WHERE cannot tell them apart, so NOT IN stays as it is (and is refused).
fn tuple_in(expr: &mut ast::Expr) {
    let ast::Expr::InSubquery {
        expr: values,
        subquery,
        negated: false,
    } = expr
    else {
        return;
    };
    let ast::Expr::Tuple(values) = values.as_mut() else {
        return;
    };
    let table = ast::Ident::with_quote('`', "__in");
    let name = |i: usize| ast::Ident::with_quote('`', format!("__in{i}"));
    let equals = values
        .iter()
        .enumerate()
        .map(|(i, value)| ast::Expr::BinaryOp {
            left: Box::new(ast::Expr::CompoundIdentifier(vec![table.clone(), name(i)])),
            op: ast::BinaryOperator::Eq,
            right: Box::new(value.clone()),
        });
    let Some(condition) = equals.reduce(|a, b| ast::Expr::BinaryOp {
        left: Box::new(a),
        op: ast::BinaryOperator::And,
        right: Box::new(b),
    }) else {
        return;
    };
    let columns = (0..values.len()).map(|i| ast::TableAliasColumnDef::from_name(name(i).value));
    let rows = ast::TableFactor::Derived {
        lateral: false,
        subquery: subquery.clone(),
        alias: Some(ast::TableAlias {
            explicit: true,
            name: table.clone(),
            columns: columns.collect(),
            at: None,
        }),
        sample: None,
    };
    let Some(mut query) = select_one() else {
        return;
    };
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.from = vec![ast::TableWithJoins {
            relation: rows,
            joins: Vec::new(),
        }];
        select.selection = Some(condition);
    }
    *expr = ast::Expr::Exists {
        subquery: query,
        negated: false,
    };
}

/// `x SIMILAR TO 'pattern'` with a literal pattern: the whole text matches, % is any text, _ any character (SQL:2016 8.6).
/// DataFusion takes the pattern for a regular expression that matches anywhere.
fn similar_to(expr: &mut ast::Expr) {
    let ast::Expr::SimilarTo {
        negated,
        expr: text,
        pattern,
        escape_char: None,
    } = expr
    else {
        return;
    };
    let ast::Expr::Value(value) = pattern.as_ref() else {
        return;
    };
    let ast::Value::SingleQuotedString(pattern) = &value.value else {
        return;
    };
    let mut regex = String::from("(?s)^(?:");
    let mut in_brackets = false;
    for c in pattern.chars() {
        match c {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            _ => {}
        }
        match c {
            '%' if !in_brackets => regex.push_str(".*"),
            '_' if !in_brackets => regex.push('.'),
            '.' | '^' | '$' | '\\' if !in_brackets => regex.extend(['\\', c]),
            c => regex.push(c),
        }
    }
    regex.push_str(")$");
    let regex = ast::Value::SingleQuotedString(regex).with_span(value.span);
    let test = call(
        "regexp",
        vec![text.as_ref().clone(), ast::Expr::Value(regex)],
    );
    *expr = if *negated {
        ast::Expr::UnaryOp {
            op: ast::UnaryOperator::Not,
            expr: Box::new(test),
        }
    } else {
        test
    };
}

/// `SELECT 1`.
fn select_one() -> Option<Box<Query>> {
    let dialect = sqlparser::dialect::GenericDialect {};
    let parsed = sqlparser::parser::Parser::parse_sql(&dialect, "SELECT 1").ok()?;
    match parsed.into_iter().next()? {
        ast::Statement::Query(query) => Some(query),
        _ => None,
    }
}

/// CAST to CHAR(n) and VARCHAR(n): Arrow's text has no length, so the text is cut (and filled) by functions.
fn cut_to_length(expr: &mut ast::Expr) {
    use ast::DataType::{Char, CharVarying, Character, CharacterVarying, String, Varchar};
    let ast::Expr::Cast { data_type, .. } = expr else {
        return;
    };
    let (length, fill) = match data_type {
        Char(length) | Character(length) => (*length, true),
        Varchar(length) | CharVarying(length) | CharacterVarying(length) => (*length, false),
        _ => return,
    };
    let length = match length {
        Some(ast::CharacterLength::IntegerLength { length, .. }) => length,
        Some(ast::CharacterLength::Max) => return,
        None => 1,
    };
    *data_type = String(None);
    let number =
        |n: u64| ast::Expr::Value(ast::Value::Number(n.to_string(), false).with_empty_span());
    let text = std::mem::replace(expr, number(0));
    *expr = call("left", vec![text, number(length)]);
    if fill {
        let cut = std::mem::replace(expr, number(0));
        let blank = ast::Expr::Value(ast::Value::SingleQuotedString(" ".into()).with_empty_span());
        *expr = call("rpad", vec![cut, number(length), blank]);
    }
}

fn call(name: &str, args: Vec<ast::Expr>) -> ast::Expr {
    let args = args
        .into_iter()
        .map(|a| ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(a)))
        .collect();
    ast::Expr::Function(ast::Function {
        name: ast::ObjectName::from(vec![ast::Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: ast::FunctionArguments::None,
        args: ast::FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The name of a column or field that stands in a SELECT list without an alias.
fn column_name(expr: &ast::Expr) -> Option<String> {
    match expr {
        ast::Expr::Identifier(name) => Some(name.value.clone()),
        ast::Expr::CompoundIdentifier(names) => names.last().map(|n| n.value.clone()),
        ast::Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(ast::AccessExpr::Dot(ast::Expr::Identifier(field))) => Some(field.value.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Flink's results for syntax that DataFusion plans as a function.
#[derive(Debug)]
pub struct FlinkExpressions {
    /// Flink's SUBSTRING, where it is registered.
    pub substring: Option<Arc<ScalarUDF>>,
    /// Flink's EXTRACT, likewise.
    pub extract: Option<Arc<ScalarUDF>>,
    /// Flink's OVERLAY, likewise.
    pub overlay: Option<Arc<ScalarUDF>>,
}

impl ExprPlanner for FlinkExpressions {
    fn plan_extract(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(match &self.extract {
            Some(function) => PlannerResult::Planned(function.call(args)),
            None => PlannerResult::Original(args),
        })
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(match &self.overlay {
            Some(function) => PlannerResult::Planned(function.call(args)),
            None => PlannerResult::Original(args),
        })
    }

    fn plan_substring(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(match &self.substring {
            Some(function) => PlannerResult::Planned(function.call(args)),
            None => PlannerResult::Original(args),
        })
    }
}

/// Types literals, decimals and casts to text as Flink does. Runs before DataFusion's own type coercion.
#[derive(Debug)]
pub struct FlinkTyping;

impl AnalyzerRule for FlinkTyping {
    fn name(&self) -> &str {
        "flink_typing"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> DfResult<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(type_plan)?.data)
    }
}

fn type_plan(plan: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    if matches!(plan, LogicalPlan::Limit(_) | LogicalPlan::Extension(_)) {
        return Ok(Transformed::no(plan.recompute_schema()?));
    }
    if let LogicalPlan::Union(union) = &plan {
        same_types(union)?;
    }
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        schema.merge(&scan.projected_schema);
    }
    if let LogicalPlan::Values(values) = plan {
        // The types of a VALUES list follow from its typed literals.
        let typed = values.values.into_iter().map(|row| {
            row.into_iter()
                .map(|e| Ok(e.transform_up(|e| type_expr(e, &schema))?.data))
                .collect::<DfResult<Vec<_>>>()
        });
        let typed = typed.collect::<DfResult<Vec<_>>>()?;
        return Ok(Transformed::yes(
            LogicalPlanBuilder::values(typed)?.build()?,
        ));
    }
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        if let Expr::GroupingSet(set) = expr {
            // Each grouping expression keeps its own name; the set has none.
            let typed = |e: Expr| -> DfResult<Expr> {
                let name = names.save(&e);
                Ok(name.restore(e.transform_up(|e| type_expr(e, &schema))?.data))
            };
            return Ok(Transformed::yes(Expr::GroupingSet(typed_set(set, typed)?)));
        }
        let name = names.save(&expr);
        Ok(expr
            .transform_up(|e| type_expr(e, &schema))?
            .update_data(|e| name.restore(e)))
    })?
    .map_data(LogicalPlan::recompute_schema)
}

fn typed_set(set: GroupingSet, typed: impl Fn(Expr) -> DfResult<Expr>) -> DfResult<GroupingSet> {
    let list = |exprs: Vec<Expr>| exprs.into_iter().map(&typed).collect::<DfResult<Vec<_>>>();
    Ok(match set {
        GroupingSet::Rollup(exprs) => GroupingSet::Rollup(list(exprs)?),
        GroupingSet::Cube(exprs) => GroupingSet::Cube(list(exprs)?),
        GroupingSet::GroupingSets(sets) => {
            GroupingSet::GroupingSets(sets.into_iter().map(list).collect::<DfResult<_>>()?)
        }
    })
}

/// The inputs of a UNION have columns of the same kind: numbers, or the same type.
fn same_types(union: &datafusion::logical_expr::Union) -> DfResult<()> {
    let Some(first) = union.inputs.first() else {
        return Ok(());
    };
    for input in &union.inputs {
        for (i, (a, b)) in first
            .schema()
            .fields()
            .iter()
            .zip(input.schema().fields())
            .enumerate()
        {
            let (a, b) = (a.data_type(), b.data_type());
            let same = a == b
                || a.is_numeric() && b.is_numeric()
                || a.is_null()
                || b.is_null()
                || std::mem::discriminant(a) == std::mem::discriminant(b);
            if !same {
                return datafusion::common::plan_err!(
                    "Type mismatch in column {} of UNION ALL: {} and {}",
                    i + 1,
                    flink_name(a),
                    flink_name(b)
                );
            }
        }
    }
    Ok(())
}

/// One expression outside a plan (a computed column, a watermark), typed like those inside.
///
/// # Errors
/// Where an operand has no type.
pub fn type_expression(expr: Expr, schema: &DFSchema) -> DfResult<Expr> {
    Ok(expr.transform_up(|e| type_expr(e, schema))?.data)
}

fn type_expr(expr: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    match expr {
        // A literal that fits is an INT.
        Expr::Literal(ScalarValue::Int64(Some(v)), meta) if i32::try_from(v).is_ok() => {
            Ok(Transformed::yes(Expr::Literal(
                ScalarValue::Int32(i32::try_from(v).ok()),
                meta,
            )))
        }
        Expr::BinaryExpr(binary) if is_arithmetic(binary.op) => arithmetic(binary, schema),
        Expr::BinaryExpr(binary) if binary.op.supports_propagation() => {
            comparable(&binary, schema)?;
            Ok(Transformed::no(Expr::BinaryExpr(binary)))
        }
        Expr::Like(like) => Ok(Transformed::yes(Expr::Like(backslash_escaped(like)?))),
        Expr::Cast(mut cast) if reads_text(&cast.expr, cast.field.data_type(), schema)? => {
            *cast.expr = number_text(*cast.expr, cast.field.data_type());
            Ok(Transformed::yes(Expr::Cast(cast)))
        }
        Expr::TryCast(mut cast) if reads_text(&cast.expr, cast.field.data_type(), schema)? => {
            *cast.expr = number_text(*cast.expr, cast.field.data_type());
            Ok(Transformed::yes(Expr::TryCast(cast)))
        }
        Expr::Cast(Cast {
            ref expr,
            ref field,
        })
        | Expr::TryCast(TryCast {
            ref expr,
            ref field,
        }) if matches!(field.data_type(), DataType::Time32(_))
            && !matches!(expr.as_ref(), Expr::Literal(..))
            && is_text(&expr.get_type(schema)?) =>
        {
            datafusion::common::not_impl_err!("CAST of STRING to TIME is not supported yet")
        }
        // Fewer digits of a second: cut downwards, also before 1970, where Arrow cuts towards 1970.
        Expr::Cast(mut cast)
            if let Some(unit) =
                coarser_unit(&cast.expr.get_type(schema)?, cast.field.data_type()) =>
        {
            let unit = Expr::Literal(ScalarValue::Utf8(Some(unit.to_string())), None);
            *cast.expr = datafusion::functions::datetime::date_trunc().call(vec![unit, *cast.expr]);
            Ok(Transformed::yes(Expr::Cast(cast)))
        }
        // A decimal that does not fit is NULL.
        Expr::Cast(cast)
            if matches!(cast.field.data_type(), DataType::Decimal128(..))
                && cast.expr.get_type(schema)?.is_numeric() =>
        {
            let field = Arc::clone(&cast.field);
            Ok(Transformed::yes(Expr::TryCast(TryCast::new_from_field(
                cast.expr, field,
            ))))
        }
        Expr::Cast(cast) if is_text(cast.field.data_type()) => {
            let from = cast.expr.get_type(schema)?;
            if prints_differently(&from) {
                return Ok(Transformed::yes(
                    flowline_udfs::cast_to_string().call(vec![*cast.expr]),
                ));
            }
            Ok(Transformed::no(Expr::Cast(cast)))
        }
        Expr::TryCast(cast)
            if is_text(cast.field.data_type())
                && prints_differently(&cast.expr.get_type(schema)?) =>
        {
            Ok(Transformed::yes(
                flowline_udfs::cast_to_string().call(vec![*cast.expr]),
            ))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Whether a cast reads a number from text (that has not been made ready yet).
fn reads_text(from: &Expr, to: &DataType, schema: &DFSchema) -> DfResult<bool> {
    let is_ready = matches!(from, Expr::ScalarFunction(f) if f.name() == "whole_number_text" || f.name() == "decimal_text");
    Ok((to.is_integer() || matches!(to, DataType::Decimal128(..)))
        && !is_ready
        && is_text(&from.get_type(schema)?))
}

fn number_text(text: Expr, to: &DataType) -> Expr {
    let function = if to.is_integer() {
        flowline_udfs::whole_number_text()
    } else {
        flowline_udfs::decimal_text()
    };
    function.call(vec![text])
}

/// The unit to cut to where a timestamp is cast to one with fewer digits behind the second.
fn coarser_unit(from: &DataType, to: &DataType) -> Option<&'static str> {
    let (DataType::Timestamp(from, _), DataType::Timestamp(to, _)) = (from, to) else {
        return None;
    };
    let unit = match to {
        TimeUnit::Second => "second",
        TimeUnit::Millisecond => "millisecond",
        _ => "microsecond",
    };
    (digits(*from) > digits(*to)).then_some(unit)
}

/// Digits behind the second.
fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

fn is_arithmetic(op: Operator) -> bool {
    matches!(
        op,
        Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo
    )
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8)
}

fn prints_differently(from: &DataType) -> bool {
    matches!(
        from,
        DataType::Timestamp(..)
            | DataType::Float32
            | DataType::Float64
            | DataType::Boolean
            | DataType::Decimal128(..)
            | DataType::Time32(_)
            | DataType::Binary
            | DataType::List(_)
            | DataType::Map(..)
            | DataType::Struct(_)
    )
}

/// Flink's LIKE escapes by what ESCAPE says and by nothing without it; DataFusion's by a backslash.
fn backslash_escaped(mut like: Like) -> DfResult<Like> {
    let Expr::Literal(value, _) = like.pattern.as_ref() else {
        return match like.escape_char {
            Some(_) => datafusion::common::plan_err!("LIKE ... ESCAPE takes a literal pattern"),
            None => Ok(like),
        };
    };
    let Some(Some(pattern)) = value.try_as_str() else {
        return Ok(like);
    };
    let escape = like.escape_char.take();
    let mut escaped = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if Some(c) == escape {
            match characters.next() {
                Some(next) => escaped.extend(['\\', next]),
                None => {
                    return datafusion::common::plan_err!(
                        "the LIKE pattern '{pattern}' ends in its escape character"
                    );
                }
            }
        } else {
            if c == '\\' {
                escaped.push('\\');
            }
            escaped.push(c);
        }
    }
    *like.pattern = Expr::Literal(ScalarValue::Utf8(Some(escaped)), None);
    Ok(like)
}

/// Flink converts nothing on its own in a comparison but between numbers, and text literals to dates and times.
fn comparable(binary: &BinaryExpr, schema: &DFSchema) -> DfResult<()> {
    let (left, right) = (
        binary.left.get_type(schema)?,
        binary.right.get_type(schema)?,
    );
    let is_literal = |e: &Expr| matches!(e, Expr::Literal(..));
    let refused = match (&left, &right) {
        (a, b) if a.is_numeric() && is_text(b) || is_text(a) && b.is_numeric() => true,
        (DataType::Date32, DataType::Timestamp(..))
        | (DataType::Timestamp(..), DataType::Date32) => true,
        (a, b) if a.is_temporal() && is_text(b) => !is_literal(&binary.right),
        (a, b) if is_text(a) && b.is_temporal() => !is_literal(&binary.left),
        _ => false,
    };
    if refused {
        let (l, r, op) = (flink_name(&left), flink_name(&right), binary.op);
        return datafusion::common::plan_err!(
            "Cannot apply '{op}' to arguments of type '<{l}> {op} <{r}>': implicit type conversion between {l} and {r} is not supported; CAST one of them"
        );
    }
    Ok(())
}

/// Numbers of different types, as Flink computes with them.
fn arithmetic(binary: BinaryExpr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    match (
        binary.left.get_type(schema)?,
        binary.right.get_type(schema)?,
    ) {
        // FLOAT and DECIMAL give DOUBLE.
        (DataType::Float32, DataType::Decimal128(..))
        | (DataType::Decimal128(..), DataType::Float32) => {
            let double = |e: Box<Expr>| Box::new(Expr::Cast(Cast::new(e, DataType::Float64)));
            let double = BinaryExpr::new(double(binary.left), binary.op, double(binary.right));
            Ok(Transformed::yes(Expr::BinaryExpr(double)))
        }
        // FLOAT and DOUBLE: the result has the type of the left side.
        (DataType::Float32, DataType::Float64) => {
            let right = Expr::Cast(Cast::new(binary.right, DataType::Float32));
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
                binary.left,
                binary.op,
                Box::new(right),
            ))))
        }
        _ => decimal_arithmetic(binary, schema),
    }
}

/// Decimal with integer: the integer counts as a decimal of its width. Division has Flink's precision and scale.
fn decimal_arithmetic(binary: BinaryExpr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let (left, right) = (
        binary.left.get_type(schema)?,
        binary.right.get_type(schema)?,
    );
    let is_decimal = |t: &DataType| matches!(t, DataType::Decimal128(..));
    if !is_decimal(&left) && !is_decimal(&right) {
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    }
    let as_decimal = |expr: Box<Expr>, from: &DataType| match from {
        DataType::Decimal128(..) => Some(*expr),
        _ => integer_width(from).map(|p| Expr::Cast(Cast::new(expr, DataType::Decimal128(p, 0)))),
    };
    if integer_width(&left).is_none() && !is_decimal(&left)
        || integer_width(&right).is_none() && !is_decimal(&right)
    {
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    }
    let (Some(left), Some(right)) = (
        as_decimal(binary.left, &left),
        as_decimal(binary.right, &right),
    ) else {
        return datafusion::common::internal_err!("decimal arithmetic on other types");
    };
    Ok(Transformed::yes(match binary.op {
        Operator::Divide => flowline_udfs::decimal_divide().call(vec![left, right]),
        op => {
            let (a, b) = (left.get_type(schema)?, right.get_type(schema)?);
            match wide_decimal(op, &a, &b) {
                // The result may not fit into 38 digits: computed with 76, and NULL where it does not fit.
                Some((p, s)) => {
                    let wide = |e: Expr, t: &DataType| match t {
                        DataType::Decimal128(p, s) => Box::new(Expr::Cast(Cast::new(
                            Box::new(e),
                            DataType::Decimal256(*p, *s),
                        ))),
                        _ => Box::new(e),
                    };
                    let result =
                        Expr::BinaryExpr(BinaryExpr::new(wide(left, &a), op, wide(right, &b)));
                    Expr::TryCast(TryCast::new(Box::new(result), DataType::Decimal128(p, s)))
                }
                None => Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))),
            }
        }
    }))
}

/// The type of a decimal result that needs more than 38 digits (Flink: LogicalTypeMerging.adjustPrecisionScale).
fn wide_decimal(op: Operator, left: &DataType, right: &DataType) -> Option<(u8, i8)> {
    let (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) = (left, right) else {
        return None;
    };
    let (p1, s1, p2, s2) = (
        i16::from(*p1),
        i16::from(*s1),
        i16::from(*p2),
        i16::from(*s2),
    );
    let (precision, scale) = match op {
        Operator::Plus | Operator::Minus => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
        Operator::Multiply => (p1 + p2 + 1, s1 + s2),
        _ => return None,
    };
    if precision <= 38 {
        return None;
    }
    let integral = precision - scale;
    Some((38, i8::try_from((38 - integral).max(scale.min(6))).ok()?))
}

fn integer_width(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Int8 => Some(3),
        DataType::Int16 => Some(5),
        DataType::Int32 => Some(10),
        DataType::Int64 => Some(19),
        _ => None,
    }
}

/// The physical expression with arithmetic that fails on overflow instead of wrapping around.
///
/// # Errors
/// Where an expression cannot take its new children.
pub fn checked_arithmetic(expr: Arc<dyn PhysicalExpr>) -> DfResult<Arc<dyn PhysicalExpr>> {
    let transformed = expr.transform_up(|e| {
        Ok(match e.downcast_ref::<physical::BinaryExpr>() {
            Some(binary) if is_arithmetic(*binary.op()) => {
                let checked = physical::BinaryExpr::new(
                    Arc::clone(binary.left()),
                    *binary.op(),
                    Arc::clone(binary.right()),
                )
                .with_fail_on_overflow(true);
                Transformed::yes(Arc::new(checked) as Arc<dyn PhysicalExpr>)
            }
            _ => Transformed::no(e),
        })
    })?;
    Ok(transformed.data)
}
