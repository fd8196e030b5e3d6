//! Flink's own expressions, parsed in the dialect's hooks; their encodings are listed at `super::FlinkDialect`.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, Map, MapEntry, ObjectName, Query, Select, SelectFlavor,
    SelectItem, SetExpr, TableFactor, TableWithJoins, UnaryOperator, Value, ValueWithSpan,
    WildcardAdditionalOptions, WindowType,
};
use sqlparser::dialect::Precedence;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::failure::{fail, reserved_name};
use super::interval::{interval, time_unit};
use super::precedence;
use super::reserved::is_reserved;
use super::reserved::{is_clause_word, upper};
use super::types::{data_type_of, parse_data_type};
use super::words::{
    eat, eat_one_of, expect, expected, here, identifier, last, object_name, peek_words,
    starts_query, upper_at,
};

type Parsed<T> = Result<T, ParserError>;

/// Words that are reserved and yet begin an expression, beside function calls.
const BEGIN_EXPRESSION: &[&str] = &[
    "NULL", "TRUE", "FALSE", "UNKNOWN", "CASE", "NOT", "EXISTS", "INTERVAL", "ARRAY", "ROW",
    "MULTISET",
];

/// The expression that begins at the next token, if it is one of Flink's own.
pub(super) fn prefix(parser: &mut Parser) -> Parsed<Option<Expr>> {
    let TokenWithSpan { token, span } = parser.peek_token_ref();
    let span = *span;
    if *token == Token::LParen {
        return if starts_query(&parser.peek_nth_token_ref(1).token)
            && parser.peek_nth_token_ref(1).token != Token::LParen
        {
            subquery(parser).map(Some)
        } else {
            Ok(None)
        };
    }
    let Some(word) = upper(token) else {
        return Ok(None);
    };
    let next = &parser.peek_nth_token_ref(1).token;
    let is_call = *next == Token::LParen;
    let is_bracket = *next == Token::LBracket;
    let expr = match word.as_str() {
        "CAST" if is_call => cast(parser, CastKind::Cast)?,
        "TRY_CAST" if is_call => cast(parser, CastKind::TryCast)?,
        "SAFE_CAST" if is_call => {
            return Err(fail(span, "Flink SQL has no SAFE_CAST", "write TRY_CAST"));
        }
        "INTERVAL" => interval(parser)?,
        "TABLE" if matches!(next, Token::Word(_)) => table(parser)?,
        "MODEL" if matches!(next, Token::Word(_)) && ends_argument(parser, 2) => model(parser)?,
        "MAP" if is_bracket => map(parser)?,
        "MULTISET" if is_bracket || is_call => {
            return Err(fail(
                span,
                "flowline does not support MULTISET values yet",
                "use ARRAY[...]",
            ));
        }
        // sqlparser tries these again as plain names when they fail, which doubles the work at every level and hides
        // the error; here they fail at once.
        "CASE" => {
            parser.advance_token();
            parser.parse_case_expr()?
        }
        "EXTRACT" if is_call => {
            parser.advance_token();
            parser.parse_extract_expr()?
        }
        "TRIM" if is_call => {
            parser.advance_token();
            parser.parse_trim_expr()?
        }
        "SUBSTRING" if is_call => parser.parse_substring()?,
        "OVERLAY" if is_call => {
            parser.advance_token();
            parser.parse_overlay_expr()?
        }
        "POSITION" if is_call => position(parser)?,
        "EXISTS" if is_call => {
            parser.advance_token();
            parser.parse_exists_expr(false)?
        }
        "NOT" => {
            parser.advance_token();
            parser.parse_not()?
        }
        "ARRAY" if is_bracket => {
            parser.advance_token();
            parser.advance_token();
            parser.parse_array_expr(true)?
        }
        "FLOOR" | "CEIL" | "CEILING" if is_call => rounding(parser, &word)?,
        "TIMESTAMPDIFF" | "TIMESTAMPADD" if is_call => timestamp_arithmetic(parser, &word)?,
        "JSON_VALUE" if is_call => json_value(parser)?,
        "JSON_QUERY" if is_call => json_query(parser)?,
        "JSON_EXISTS" if is_call => json_exists(parser)?,
        "JSON_OBJECT" | "JSON_ARRAY" | "JSON_OBJECTAGG" | "JSON_ARRAYAGG" if is_call => {
            json_make(parser, &word)?
        }
        "DATE" | "TIME" | "TIMESTAMP" if matches!(next, Token::SingleQuotedString(_)) => {
            return Ok(None);
        }
        _ if !is_call && is_reserved(&word) => {
            if BEGIN_EXPRESSION.contains(&word.as_str())
                || word.starts_with("CURRENT_")
                || word.starts_with("LOCALTIME")
            {
                return Ok(None);
            }
            if is_clause_word(&word) {
                return expected(parser, "an expression");
            }
            let written = match token {
                Token::Word(w) => w.value.clone(),
                _ => word,
            };
            return Err(reserved_name(&written, "a column name or a value", span));
        }
        _ => return Ok(None),
    };
    Ok(Some(expr))
}

/// What an operator at the next token makes of the expression before it, if it is one of Flink's own.
pub(super) fn infix(parser: &mut Parser, left: &Expr) -> Parsed<Option<Expr>> {
    let span = here(parser);
    let between = Precedence::Between;
    if peek_words(parser, &["IS", "JSON"]) || peek_words(parser, &["IS", "NOT", "JSON"]) {
        eat(parser, &["IS"]);
        let negated = eat(parser, &["NOT"]);
        eat(parser, &["JSON"]);
        let kind = eat_one_of(parser, &["VALUE", "SCALAR", "ARRAY", "OBJECT"]).unwrap_or("VALUE");
        let test = call("IS_JSON", span, vec![left.clone(), text(kind, span)]);
        return Ok(Some(negate(negated, test)));
    }
    // sqlparser takes everything after FROM, also what AND and OR add.
    let distinct = peek_words(parser, &["IS", "DISTINCT", "FROM"]);
    if distinct || peek_words(parser, &["IS", "NOT", "DISTINCT", "FROM"]) {
        ["IS", "NOT", "DISTINCT", "FROM"].iter().for_each(|w| {
            eat(parser, &[w]);
        });
        let right = Box::new(parser.parse_subexpr(precedence::of(Precedence::Is))?);
        let left = Box::new(left.clone());
        return Ok(Some(if distinct {
            Expr::IsDistinctFrom(left, right)
        } else {
            Expr::IsNotDistinctFrom(left, right)
        }));
    }
    let negated = peek_words(parser, &["NOT", "BETWEEN"]);
    let word = upper_at(parser, if negated { 2 } else { 1 });
    if (negated || peek_words(parser, &["BETWEEN"]))
        && matches!(word.as_deref(), Some("SYMMETRIC" | "ASYMMETRIC"))
    {
        eat(parser, &["NOT"]);
        eat(parser, &["BETWEEN"]);
        let symmetric = eat(parser, &["SYMMETRIC"]) || !eat(parser, &["ASYMMETRIC"]);
        let low = parser.parse_subexpr(precedence::of(between))?;
        expect(parser, &["AND"])?;
        let high = parser.parse_subexpr(precedence::of(between))?;
        let range = |low: &Expr, high: &Expr, negated: bool| Expr::Between {
            expr: Box::new(left.clone()),
            negated,
            low: Box::new(low.clone()),
            high: Box::new(high.clone()),
        };
        if !symmetric {
            return Ok(Some(range(&low, &high, negated)));
        }
        let either = Expr::Nested(Box::new(Expr::BinaryOp {
            left: Box::new(range(&low, &high, false)),
            op: BinaryOperator::Or,
            right: Box::new(range(&high, &low, false)),
        }));
        return Ok(Some(negate(negated, either)));
    }
    Ok(None)
}

fn negate(negated: bool, expr: Expr) -> Expr {
    if negated {
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(expr),
        }
    } else {
        expr
    }
}

/// A call of a plain function.
fn call(name: &str, span: Span, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_span(span, name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args
                .into_iter()
                .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
                .collect(),
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

fn text(value: impl Into<String>, span: Span) -> Expr {
    Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(value.into()),
        span,
    })
}

fn null(span: Span) -> Expr {
    Expr::Value(ValueWithSpan {
        value: Value::Null,
        span,
    })
}

fn open_call(parser: &mut Parser) -> Parsed<Span> {
    let span = here(parser);
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    Ok(span)
}

fn close(parser: &mut Parser) -> Parsed<()> {
    parser.expect_token(&Token::RParen).map(drop)
}

fn cast(parser: &mut Parser, kind: CastKind) -> Parsed<Expr> {
    open_call(parser)?;
    let expr = parser.parse_expr()?;
    if parser.peek_token_ref().token == Token::Comma {
        let help = "write CAST(value AS TYPE)";
        return Err(fail(
            here(parser),
            "expected AS and a type, found a comma",
            help,
        ));
    }
    expect(parser, &["AS"])?;
    let data_type = data_type_of(&parse_data_type(parser)?);
    close(parser)?;
    Ok(Expr::Cast {
        kind,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    })
}

fn position(parser: &mut Parser) -> Parsed<Expr> {
    open_call(parser)?;
    let expr = parser.parse_subexpr(precedence::of(Precedence::Between))?;
    expect(parser, &["IN"])?;
    let within = parser.parse_expr()?;
    close(parser)?;
    Ok(Expr::Position {
        expr: Box::new(expr),
        r#in: Box::new(within),
    })
}

fn rounding(parser: &mut Parser, name: &str) -> Parsed<Expr> {
    use sqlparser::ast::{CeilFloorKind, DateTimeField};
    let span = open_call(parser)?;
    let expr = parser.parse_expr()?;
    if eat(parser, &["TO"]) {
        let (unit, unit_span) = time_unit(parser)?;
        close(parser)?;
        let name = if name == "FLOOR" { "FLOOR" } else { "CEIL" };
        return Ok(call(name, span, vec![expr, text(unit, unit_span)]));
    }
    close(parser)?;
    let expr = Box::new(expr);
    let field = CeilFloorKind::DateTimeField(DateTimeField::NoDateTime);
    Ok(if name == "FLOOR" {
        Expr::Floor { expr, field }
    } else {
        Expr::Ceil { expr, field }
    })
}

fn timestamp_arithmetic(parser: &mut Parser, name: &str) -> Parsed<Expr> {
    let span = open_call(parser)?;
    let (unit, unit_span) = time_unit(parser)?;
    parser.expect_token(&Token::Comma)?;
    let first = parser.parse_expr()?;
    parser.expect_token(&Token::Comma)?;
    let second = parser.parse_expr()?;
    close(parser)?;
    Ok(call(name, span, vec![text(unit, unit_span), first, second]))
}

fn map(parser: &mut Parser) -> Parsed<Expr> {
    let span = here(parser);
    parser.advance_token();
    parser.advance_token();
    let mut entries = Vec::new();
    loop {
        let key = Box::new(parser.parse_expr()?);
        if parser.peek_token_ref().token != Token::Comma {
            let help = "write keys and values in turn: MAP['a', 1, 'b', 2]";
            return Err(fail(
                span.union(&last(parser)),
                "MAP[...] has a key without a value",
                help,
            ));
        }
        parser.advance_token();
        let value = Box::new(parser.parse_expr()?);
        entries.push(MapEntry { key, value });
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    parser.expect_token(&Token::RBracket)?;
    Ok(Expr::Map(Map { entries }))
}

/// `MODEL name`, an argument of the model functions.
fn model(parser: &mut Parser) -> Parsed<Expr> {
    let span = here(parser);
    parser.advance_token();
    let name = object_name(parser, "a model name")?;
    let mut parts: Vec<Ident> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident().cloned())
        .collect();
    let name = match parts.pop() {
        Some(only) if parts.is_empty() => Expr::Identifier(only),
        rest => {
            parts.extend(rest);
            Expr::CompoundIdentifier(parts)
        }
    };
    Ok(call("MODEL", span, vec![name]))
}

/// True if a dotted name that begins `n` tokens ahead is followed by a comma or a closing parenthesis.
fn ends_argument(parser: &Parser, mut n: usize) -> bool {
    while parser.peek_nth_token_ref(n).token == Token::Period {
        n += 2;
    }
    matches!(
        parser.peek_nth_token_ref(n).token,
        Token::Comma | Token::RParen
    )
}

/// `TABLE x [PARTITION BY ...]` as an argument.
fn table(parser: &mut Parser) -> Parsed<Expr> {
    let table_token = parser.peek_token();
    parser.advance_token();
    let name = object_name(parser, "a table name")?;
    let with_hints = if eat(parser, &["WITH"]) {
        parser.expect_token(&Token::LParen)?;
        let hints = parser.parse_comma_separated(Parser::parse_expr)?;
        close(parser)?;
        hints
    } else {
        vec![]
    };
    let factor = TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    };
    let partition_by = partition_by(parser)?;
    Ok(select_all(table_token, factor, partition_by))
}

/// `(SELECT ...) [PARTITION BY ...]`.
fn subquery(parser: &mut Parser) -> Parsed<Expr> {
    let open = parser.peek_token();
    parser.advance_token();
    let subquery = parser.parse_query()?;
    close(parser)?;
    if !peek_words(parser, &["PARTITION", "BY"]) {
        return Ok(Expr::Subquery(subquery));
    }
    let partition_by = partition_by(parser)?;
    let factor = TableFactor::Derived {
        lateral: false,
        subquery,
        alias: None,
        sample: None,
    };
    Ok(select_all(open, factor, partition_by))
}

/// `PARTITION BY a, b` after a table argument: the names up to the next argument.
fn partition_by(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    let mut keys = Vec::new();
    if eat(parser, &["PARTITION", "BY"]) {
        let parenthesised = parser.consume_token(&Token::LParen);
        loop {
            keys.push(Expr::Identifier(identifier(parser, "a column name")?));
            let more = parser.peek_token_ref().token == Token::Comma
                && (parenthesised || is_partition_key(parser));
            if !more {
                break;
            }
            parser.advance_token();
        }
        if parenthesised {
            close(parser)?;
        }
    }
    if peek_words(parser, &["ORDER", "BY"]) {
        let help = "remove it; rows arrive in the order of the input";
        return Err(fail(
            here(parser),
            "flowline does not support ORDER BY in a table argument yet",
            help,
        ));
    }
    Ok(keys)
}

/// True if the item after the comma is one more key: a plain name and nothing else.
fn is_partition_key(parser: &Parser) -> bool {
    let is_name = match &parser.peek_nth_token_ref(1).token {
        Token::Word(word) => word.quote_style.is_some() || !is_reserved(&word.value),
        _ => false,
    };
    is_name
        && matches!(
            parser.peek_nth_token_ref(2).token,
            Token::Comma | Token::RParen
        )
}

/// `SELECT * FROM factor`, with the partition keys in `distribute_by`.
fn select_all(token: TokenWithSpan, factor: TableFactor, distribute_by: Vec<Expr>) -> Expr {
    let select = Select {
        select_token: AttachedToken(token),
        optimizer_hints: vec![],
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        exclude: None,
        into: None,
        from: vec![TableWithJoins {
            relation: factor,
            joins: vec![],
        }],
        lateral_views: vec![],
        prewhere: None,
        selection: None,
        connect_by: vec![],
        group_by: GroupByExpr::Expressions(vec![], vec![]),
        cluster_by: vec![],
        distribute_by,
        sort_by: vec![],
        having: None,
        named_window: vec![],
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Expr::Subquery(Box::new(Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    }))
}

/// The document and the path with which the JSON functions begin.
fn json_arguments(parser: &mut Parser) -> Parsed<(Span, Vec<Expr>)> {
    let span = open_call(parser)?;
    let document = parser.parse_expr()?;
    parser.expect_token(&Token::Comma)?;
    let path = parser.parse_expr()?;
    Ok((span, vec![document, path]))
}

fn returning(parser: &mut Parser) -> Parsed<Option<String>> {
    if eat(parser, &["RETURNING"]) {
        return Ok(Some(format!("RETURNING {}", parse_data_type(parser)?)));
    }
    Ok(None)
}

fn json_value(parser: &mut Parser) -> Parsed<Expr> {
    let (span, mut args) = json_arguments(parser)?;
    let returning = returning(parser)?;
    let mut cases: [Option<(String, Expr)>; 2] = [None, None];
    loop {
        let place = here(parser);
        let (word, default) = if eat(parser, &["DEFAULT"]) {
            ("DEFAULT", parser.parse_expr()?)
        } else if let Some(word) = eat_one_of(parser, &["NULL", "ERROR"]) {
            (word, null(place))
        } else {
            break;
        };
        expect(parser, &["ON"])?;
        let Some(case) = eat_one_of(parser, &["EMPTY", "ERROR"]) else {
            return expected(parser, "EMPTY or ERROR");
        };
        let slot = &mut cases[usize::from(case == "ERROR")];
        if slot
            .replace((format!("{word} ON {case}"), default))
            .is_some()
        {
            return Err(fail(place, format!("ON {case} stands twice"), "remove one"));
        }
    }
    close(parser)?;
    if returning.is_some() || cases.iter().any(Option::is_some) {
        args.push(text(
            returning.unwrap_or_else(|| "RETURNING STRING".into()),
            span,
        ));
        for (case, name) in cases.into_iter().zip(["NULL ON EMPTY", "NULL ON ERROR"]) {
            let (clause, default) = case.unwrap_or_else(|| (name.into(), null(span)));
            args.extend([text(clause, span), default]);
        }
    }
    Ok(call("JSON_VALUE", span, args))
}

fn json_query(parser: &mut Parser) -> Parsed<Expr> {
    let (span, mut args) = json_arguments(parser)?;
    let returning = returning(parser)?;
    let wrapper = if eat(parser, &["WITHOUT"]) {
        eat(parser, &["ARRAY"]);
        expect(parser, &["WRAPPER"])?;
        Some("WITHOUT ARRAY WRAPPER")
    } else if eat(parser, &["WITH"]) {
        let conditional =
            eat_one_of(parser, &["CONDITIONAL", "UNCONDITIONAL"]) == Some("CONDITIONAL");
        eat(parser, &["ARRAY"]);
        expect(parser, &["WRAPPER"])?;
        Some(if conditional {
            "WITH CONDITIONAL ARRAY WRAPPER"
        } else {
            "WITH UNCONDITIONAL ARRAY WRAPPER"
        })
    } else {
        None
    };
    let mut cases: [Option<String>; 2] = [None, None];
    loop {
        let place = here(parser);
        let word = if eat(parser, &["EMPTY", "ARRAY"]) {
            "EMPTY ARRAY"
        } else if eat(parser, &["EMPTY", "OBJECT"]) {
            "EMPTY OBJECT"
        } else if let Some(word) = eat_one_of(parser, &["NULL", "ERROR"]) {
            word
        } else {
            break;
        };
        expect(parser, &["ON"])?;
        let Some(case) = eat_one_of(parser, &["EMPTY", "ERROR"]) else {
            return expected(parser, "EMPTY or ERROR");
        };
        let slot = &mut cases[usize::from(case == "ERROR")];
        if slot.replace(format!("{word} ON {case}")).is_some() {
            return Err(fail(place, format!("ON {case} stands twice"), "remove one"));
        }
    }
    close(parser)?;
    if returning.is_some() || wrapper.is_some() || cases.iter().any(Option::is_some) {
        args.push(text(
            returning.unwrap_or_else(|| "RETURNING STRING".into()),
            span,
        ));
        args.push(text(wrapper.unwrap_or("WITHOUT ARRAY WRAPPER"), span));
        for (case, name) in cases.into_iter().zip(["NULL ON EMPTY", "NULL ON ERROR"]) {
            args.push(text(case.unwrap_or_else(|| name.into()), span));
        }
    }
    Ok(call("JSON_QUERY", span, args))
}

fn json_exists(parser: &mut Parser) -> Parsed<Expr> {
    let (span, mut args) = json_arguments(parser)?;
    if let Some(word) = eat_one_of(parser, &["TRUE", "FALSE", "UNKNOWN", "ERROR"]) {
        let place = last(parser);
        expect(parser, &["ON", "ERROR"])?;
        args.push(text(format!("{word} ON ERROR"), place));
    }
    close(parser)?;
    Ok(call("JSON_EXISTS", span, args))
}

/// JSON_OBJECT, JSON_ARRAY and their aggregates.
fn json_make(parser: &mut Parser, name: &str) -> Parsed<Expr> {
    let span = open_call(parser)?;
    let object = name.starts_with("JSON_OBJECT");
    let mut args = Vec::new();
    let nulls_next = |p: &Parser| {
        peek_words(p, &["NULL", "ON", "NULL"]) || peek_words(p, &["ABSENT", "ON", "NULL"])
    };
    while parser.peek_token_ref().token != Token::RParen && !nulls_next(parser) {
        if object {
            if upper_at(parser, 0).as_deref() == Some("KEY")
                && upper_at(parser, 1).as_deref() != Some("VALUE")
            {
                eat(parser, &["KEY"]);
            }
            args.push(parser.parse_expr()?);
            expect(parser, &["VALUE"])?;
        }
        args.push(parser.parse_expr()?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let clause = match eat_one_of(parser, &["NULL", "ABSENT"]) {
        Some(word) => {
            expect(parser, &["ON", "NULL"])?;
            format!("{word} ON NULL")
        }
        None if object => "NULL ON NULL".into(),
        None => "ABSENT ON NULL".into(),
    };
    close(parser)?;
    args.insert(0, text(clause, span));
    let mut made = call(name, span, args);
    if name.ends_with("AGG")
        && let Expr::Function(function) = &mut made
    {
        if eat(parser, &["FILTER"]) {
            parser.expect_token(&Token::LParen)?;
            expect(parser, &["WHERE"])?;
            function.filter = Some(Box::new(parser.parse_expr()?));
            close(parser)?;
        }
        if eat(parser, &["OVER"]) {
            function.over = Some(if parser.consume_token(&Token::LParen) {
                WindowType::WindowSpec(parser.parse_window_spec()?)
            } else {
                WindowType::NamedWindow(identifier(parser, "a window name")?)
            });
        }
    }
    Ok(made)
}
