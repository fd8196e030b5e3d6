//! Expressions as SQL, with Flink's names and types: how literals, operators and calls are written, and physical expressions
//! written so. Logical ones are written with the same parts in `planner::text`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Operator, ScalarUDF};
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr,
    Literal, NegativeExpr, NotExpr, TryCastExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use flowline_udfs::casts;

const OR: u8 = 0;
const AND: u8 = 1;
const COMPARISON: u8 = 3;
const SUM: u8 = 4;
const PRODUCT: u8 = 5;
const SIGN: u8 = 6;
const ATOM: u8 = 9;

/// An expression as text, and how tightly its outermost operator binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    text: String,
    binds: u8,
}

impl Sql {
    /// A name, or anything else that needs no parentheses.
    pub fn atom(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            binds: ATOM,
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A value.
    pub fn literal(value: &ScalarValue) -> Self {
        let text = literal(value);
        let binds = if text.starts_with('-') { SIGN } else { ATOM };
        Self { text, binds }
    }

    /// The text as an operand of what binds like `binds`.
    fn within(&self, binds: u8) -> String {
        if self.binds < binds {
            format!("({})", self.text)
        } else {
            self.text.clone()
        }
    }

    /// The text as one of several that AND stands between.
    pub fn conjunct(&self) -> String {
        self.within(AND)
    }

    /// Two operands and what stands between them.
    pub fn infix(op: &str, left: &Self, right: &Self) -> Self {
        let truth = matches!(right.text.as_str(), "TRUE" | "FALSE");
        match op {
            "IS NOT DISTINCT FROM" if truth => return left.followed_by(&format!("IS {right}")),
            "IS DISTINCT FROM" if truth => return left.followed_by(&format!("IS NOT {right}")),
            _ => {}
        }
        let binds = match op {
            "OR" => OR,
            "AND" => AND,
            "+" | "-" | "||" => SUM,
            "*" | "/" | "%" => PRODUCT,
            _ => COMPARISON,
        };
        let (on_left, on_right) = match binds {
            OR | AND => (binds, binds),
            COMPARISON => (binds + 1, binds + 1),
            _ => (binds, binds + 1),
        };
        Self {
            text: format!("{} {op} {}", left.within(on_left), right.within(on_right)),
            binds,
        }
    }

    /// DataFusion's operator between two operands.
    pub fn operator(op: Operator, left: &Self, right: &Self) -> Self {
        match op {
            Operator::NotEq => Self::infix("<>", left, right),
            other => Self::infix(&other.to_string(), left, right),
        }
    }

    /// NOT.
    pub fn negated(&self) -> Self {
        Self {
            text: format!("NOT ({})", self.text),
            binds: AND + 1,
        }
    }

    /// A minus before it.
    pub fn negative(&self) -> Self {
        Self {
            text: format!("-{}", self.within(SIGN + 1)),
            binds: SIGN,
        }
    }

    /// A test that follows it, such as IS NULL.
    pub fn followed_by(&self, test: &str) -> Self {
        Self {
            text: format!("{} {test}", self.within(COMPARISON + 1)),
            binds: COMPARISON,
        }
    }

    /// IN.
    pub fn within_list(&self, negated: bool, list: &[Self]) -> Self {
        let not = if negated { "NOT " } else { "" };
        self.followed_by(&format!("{not}IN ({})", comma_separated(list)))
    }

    /// LIKE.
    pub fn like(&self, negated: bool, pattern: &Self) -> Self {
        Self::infix(if negated { "NOT LIKE" } else { "LIKE" }, self, pattern)
    }

    /// CASE; where it says so, COALESCE or NULLIF.
    pub fn case(base: Option<&Self>, branches: &[(Self, Self)], otherwise: Option<&Self>) -> Self {
        if let (None, [(when, then)], Some(last)) = (base, branches, otherwise)
            && then.text == "NULL"
            && when.binds == COMPARISON
            && let Some(other) = when.text.strip_prefix(&format!("{last} = "))
        {
            return Self::atom(format!("NULLIF({last}, {other})"));
        }
        let takes_first = |(when, then): &(Self, Self)| *when == then.followed_by("IS NOT NULL");
        if let (None, Some(last)) = (base, otherwise)
            && branches.iter().all(takes_first)
        {
            let values: Vec<Self> = branches.iter().map(|(_, then)| then.clone()).collect();
            return Self::atom(format!("COALESCE({}, {last})", comma_separated(&values)));
        }
        let mut text = "CASE".to_string();
        if let Some(base) = base {
            text += &format!(" {base}");
        }
        for (when, then) in branches {
            text += &format!(" WHEN {when} THEN {then}");
        }
        if let Some(otherwise) = otherwise.filter(|o| o.text != "NULL") {
            text += &format!(" ELSE {otherwise}");
        }
        Self::atom(text + " END")
    }

    /// A call of a scalar function, written as the syntax that it stands for.
    pub fn call(function: &ScalarUDF, args: &[Self]) -> Self {
        if let (Some(cast), [value]) = (casts::of(function), args) {
            let name = match cast.failure {
                casts::Failure::Error => "CAST",
                casts::Failure::Null => "TRY_CAST",
            };
            return Self::atom(format!("{name}({value} AS {})", cast.to));
        }
        let name = function.name();
        if let (Some(op), [left, right]) = (infix(name), args) {
            return Self::infix(op, left, right);
        }
        let unquoted = |text: &Self| text.text.trim_matches('\'').to_string();
        match (name, args) {
            ("checked_negate", [value]) => value.negative(),
            ("get_field", [row, fields @ ..]) => {
                let names = fields.iter().map(unquoted);
                let path: Vec<String> = std::iter::once(row.within(ATOM)).chain(names).collect();
                Self::atom(path.join("."))
            }
            ("item", [value, at]) => Self::atom(format!("{}[{at}]", value.within(ATOM))),
            ("make_array", items) => Self::atom(format!("ARRAY[{}]", comma_separated(items))),
            ("map", [keys, values]) => Self::atom(format!("MAP_FROM_ARRAYS({keys}, {values})")),
            ("named_struct", pairs) => {
                let values: Vec<Self> = pairs.iter().skip(1).step_by(2).cloned().collect();
                Self::atom(format!("ROW({})", comma_separated(&values)))
            }
            // The unit is a word, not a text.
            ("timestampdiff" | "timestampadd", [unit, rest @ ..]) => Self::atom(format!(
                "{}({}, {})",
                name.to_uppercase(),
                unquoted(unit),
                comma_separated(rest)
            )),
            ("floor" | "ceil", [value, unit]) => Self::atom(format!(
                "{}({value} TO {})",
                name.to_uppercase(),
                unquoted(unit)
            )),
            ("ltrim", [text, what]) => Self::atom(format!("TRIM(LEADING {what} FROM {text})")),
            ("rtrim", [text, what]) => Self::atom(format!("TRIM(TRAILING {what} FROM {text})")),
            ("locate", [what, text]) => Self::atom(format!("POSITION({what} IN {text})")),
            ("extract", [unit, from]) => {
                Self::atom(format!("EXTRACT({} FROM {from})", unquoted(unit)))
            }
            (_, args) => Self::atom(format!(
                "{}({})",
                name.to_uppercase(),
                comma_separated(args)
            )),
        }
    }

    /// A call of an aggregate function.
    pub fn aggregate(name: &str, distinct: bool, args: &[Self], filter: Option<&Self>) -> Self {
        let name = name.to_uppercase();
        let args = match args {
            [one] if name == "COUNT" && one.text == "1" => "*".to_string(),
            args => comma_separated(args),
        };
        let distinct = if distinct { "DISTINCT " } else { "" };
        let filter = filter.map_or(String::new(), |f| format!(" FILTER (WHERE {f})"));
        Self::atom(format!("{name}({distinct}{args}){filter}"))
    }

    /// A physical expression; `column` says what its columns are.
    pub fn physical(expr: &Arc<dyn PhysicalExpr>, column: &dyn Fn(&Column) -> Self) -> Self {
        let of = |e: &Arc<dyn PhysicalExpr>| Self::physical(e, column);
        let all = |exprs: &[Arc<dyn PhysicalExpr>]| exprs.iter().map(of).collect::<Vec<_>>();
        if let Some(e) = expr.downcast_ref::<Column>() {
            column(e)
        } else if let Some(e) = expr.downcast_ref::<Literal>() {
            Self::literal(e.value())
        } else if let Some(e) = expr.downcast_ref::<BinaryExpr>() {
            Self::operator(*e.op(), &of(e.left()), &of(e.right()))
        } else if let Some(e) = expr.downcast_ref::<ScalarFunctionExpr>() {
            Self::call(e.fun(), &all(e.args()))
        } else if let Some(e) = expr.downcast_ref::<CaseExpr>() {
            let branches = e.when_then_expr().iter();
            let branches: Vec<(Self, Self)> = branches.map(|(w, t)| (of(w), of(t))).collect();
            Self::case(
                e.expr().map(of).as_ref(),
                &branches,
                e.else_expr().map(of).as_ref(),
            )
        // Layouts of DataFusion's own: not casts that anyone wrote.
        } else if let Some(e) = expr.downcast_ref::<CastExpr>() {
            of(e.expr())
        } else if let Some(e) = expr.downcast_ref::<TryCastExpr>() {
            of(e.expr())
        } else if let Some(e) = expr.downcast_ref::<NotExpr>() {
            of(e.arg()).negated()
        } else if let Some(e) = expr.downcast_ref::<NegativeExpr>() {
            of(e.arg()).negative()
        } else if let Some(e) = expr.downcast_ref::<IsNullExpr>() {
            of(e.arg()).followed_by("IS NULL")
        } else if let Some(e) = expr.downcast_ref::<IsNotNullExpr>() {
            of(e.arg()).followed_by("IS NOT NULL")
        } else if let Some(e) = expr.downcast_ref::<InListExpr>() {
            of(e.expr()).within_list(e.negated(), &all(e.list()))
        } else if let Some(e) = expr.downcast_ref::<LikeExpr>() {
            of(e.expr()).like(e.negated(), &of(e.pattern()))
        } else {
            Self::atom(expr.to_string())
        }
    }
}

impl std::fmt::Display for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Expressions with commas between them.
pub fn comma_separated(all: &[Sql]) -> String {
    let all: Vec<&str> = all.iter().map(Sql::text).collect();
    all.join(", ")
}

/// The operator that a function stands for.
fn infix(name: &str) -> Option<&'static str> {
    Some(match name {
        "float_eq" => "=",
        "float_not_eq" => "<>",
        "float_lt" => "<",
        "float_lt_eq" => "<=",
        "float_gt" => ">",
        "float_gt_eq" => ">=",
        "float_distinct" => "IS DISTINCT FROM",
        "integer_divide" | "decimal_divide" | "checked_divide" => "/",
        "integer_modulo" => "%",
        "checked_add" => "+",
        "checked_subtract" => "-",
        "checked_multiply" => "*",
        "like" => "LIKE",
        "similar_to" => "SIMILAR TO",
        _ => return None,
    })
}

/// A literal.
pub fn literal(value: &ScalarValue) -> String {
    if value.is_null() {
        return "NULL".into();
    }
    if let Some(Some(text)) = value.try_as_str() {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let shown = || {
        let text = value.cast_to(&DataType::Utf8);
        text.map_or_else(|_| value.to_string(), |t| t.to_string())
    };
    match value {
        ScalarValue::Boolean(Some(b)) => if *b { "TRUE" } else { "FALSE" }.into(),
        ScalarValue::IntervalMonthDayNano(Some(v)) => interval(v.months, v.days, v.nanoseconds),
        ScalarValue::Decimal128(Some(v), _, scale) if *scale > 0 => {
            let scale = usize::from(scale.unsigned_abs());
            let digits = format!("{:0>width$}", v.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{}{whole}.{fraction}", if *v < 0 { "-" } else { "" })
        }
        ScalarValue::Decimal128(Some(v), ..) => v.to_string(),
        ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampMicrosecond(..)
        | ScalarValue::TimestampNanosecond(..) => {
            let text = shown().replace('T', " ");
            format!("TIMESTAMP '{}'", text.trim_end_matches('Z'))
        }
        ScalarValue::Date32(_) => format!("DATE '{}'", shown()),
        ScalarValue::Time32Second(_)
        | ScalarValue::Time32Millisecond(_)
        | ScalarValue::Time64Microsecond(_)
        | ScalarValue::Time64Nanosecond(_) => format!("TIME '{}'", shown()),
        ScalarValue::Binary(Some(bytes)) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
            format!("X'{hex}'")
        }
        other => other.to_string(),
    }
}

/// An interval literal.
fn interval(months: i32, days: i32, nanos: i64) -> String {
    if months != 0 {
        return if months % 12 == 0 {
            format!("INTERVAL '{}' YEAR", months / 12)
        } else {
            format!("INTERVAL '{months}' MONTH")
        };
    }
    interval_of(
        i64::from(days)
            .saturating_mul(86_400_000)
            .saturating_add(nanos / 1_000_000),
    )
}

/// So many milliseconds as an interval literal, in the largest unit that they are a whole number of.
pub fn interval_of(millis: i64) -> String {
    for (size, unit) in [
        (86_400_000, "DAY"),
        (3_600_000, "HOUR"),
        (60_000, "MINUTE"),
        (1000, "SECOND"),
    ] {
        if millis != 0 && millis % size == 0 {
            return format!("INTERVAL '{}' {unit}", millis / size);
        }
    }
    if millis == 0 {
        return "INTERVAL '0' SECOND".into();
    }
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!(
        "INTERVAL '{sign}{}.{:03}' SECOND",
        millis / 1000,
        millis % 1000
    )
}
