//! Statements that parse and into what, mistakes and how they are told, and texts that must not panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use sqlparser::ast::{DateTimeField, Expr, SelectItem, SetExpr, TableFactor};

use super::ast::*;
use super::*;

mod mistakes;

fn parse(text: &str) -> Vec<StatementKind> {
    let file = SourceFile::new("test.sql", text);
    match parse_script(&file) {
        Ok(script) => script.statements.into_iter().map(|s| s.kind).collect(),
        Err(errors) => panic!("{text}\n{}", listed(&errors)),
    }
}

fn listed(errors: &[Diagnostic]) -> String {
    let line = |e: &Diagnostic| {
        let start = e.span.start;
        let help = e.help.as_deref().unwrap_or("-");
        format!("{}:{} {} | {help}\n", start.line, start.column, e.message)
    };
    errors.iter().map(line).collect()
}

fn only<T>(mut items: Vec<T>) -> T {
    assert_eq!(items.len(), 1);
    items.pop().unwrap()
}

fn table(text: &str) -> CreateTable {
    match only(parse(text)) {
        StatementKind::CreateTable(table) => table,
        other => panic!("{other:?}"),
    }
}

fn query(text: &str) -> sqlparser::ast::Query {
    match only(parse(text)) {
        StatementKind::Query(query) => *query,
        other => panic!("{other:?}"),
    }
}

fn select(text: &str) -> sqlparser::ast::Select {
    match *query(text).body {
        SetExpr::Select(select) => *select,
        other => panic!("{other:?}"),
    }
}

fn from(text: &str) -> TableFactor {
    only(select(text).from).relation
}

/// The expression of a select item.
fn expr(text: &str) -> Expr {
    match only(select(&format!("SELECT {text} FROM t")).projection) {
        SelectItem::UnnamedExpr(expr) => expr,
        other => panic!("{other:?}"),
    }
}

fn printed(text: &str) -> String {
    expr(text).to_string()
}

const TABLE: &str = "CREATE TEMPORARY TABLE IF NOT EXISTS `my cat`.db.Readings (
  -- a physical column
  id BIGINT NOT NULL COMMENT 'the ''id''',
  `value` DECIMAL(10, 2),
  tags MAP<STRING, ARRAY<ROW<`name` STRING, n INT NOT NULL>>>,
  ts TIMESTAMP(3),
  cost AS `value` * 2 COMMENT 'twice',
  pt AS PROCTIME(),
  part INT METADATA FROM 'partition' VIRTUAL,
  `offset` BIGINT METADATA VIRTUAL,
  headers MAP<STRING, BYTES> METADATA,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,
  CONSTRAINT pk PRIMARY KEY (id, part) NOT ENFORCED
) COMMENT 'readings' PARTITIONED BY (part)
WITH ('connector' = 'kafka', 'topic' = 'a;b')
LIKE base (INCLUDING ALL EXCLUDING OPTIONS OVERWRITING WATERMARKS);";

#[test]
fn create_table() {
    let t = table(TABLE);
    assert!(t.temporary && t.if_not_exists);
    assert_eq!(t.name.to_string(), "`my cat`.db.Readings");
    let names: Vec<&str> = t.columns.iter().map(|c| c.name.value.as_str()).collect();
    assert_eq!(
        names,
        [
            "id", "value", "tags", "ts", "cost", "pt", "part", "offset", "headers"
        ]
    );
    assert_eq!(t.columns[0].comment.as_deref(), Some("the 'id'"));
    let types: Vec<String> = t
        .columns
        .iter()
        .map(|c| match &c.kind {
            ColumnKind::Physical { data_type } => data_type.value.to_string(),
            ColumnKind::Computed { expr } => format!("AS {expr}"),
            ColumnKind::Metadata {
                data_type,
                key,
                is_virtual,
            } => {
                format!("{} {key:?} {is_virtual}", data_type.value)
            }
        })
        .collect();
    assert_eq!(
        types,
        [
            "BIGINT NOT NULL",
            "DECIMAL(10, 2)",
            "MAP<STRING, ARRAY<ROW<`name` STRING, `n` INT NOT NULL>>>",
            "TIMESTAMP(3)",
            "AS `value` * 2",
            "AS PROCTIME()",
            "INT Some(\"partition\") true",
            "BIGINT None true",
            "MAP<STRING, BYTES> None false",
        ]
    );
    let watermark = t.watermark.unwrap();
    assert_eq!(watermark.column.value, "ts");
    assert_eq!(
        (watermark.span.start.line, watermark.span.start.column),
        (12, 3)
    );
    assert_eq!(watermark.span.end.column, 47);
    let key = t.primary_key.unwrap();
    assert_eq!(key.columns.len(), 2);
    assert_eq!(t.comment.as_deref(), Some("readings"));
    assert_eq!(t.partitioned_by[0].value, "part");
    assert_eq!(t.options[1].value.value, "a;b");
    let like = t.like.unwrap();
    assert_eq!(like.choices.len(), 3);
    assert_eq!(like.choices[1].feature, LikeFeature::Options);
}

#[test]
fn small_tables() {
    let t = table("create table t (id int primary key not enforced, x string) with ()");
    assert_eq!(t.primary_key.unwrap().columns[0].value, "id");
    assert!(table("CREATE TABLE t LIKE u").like.is_some());
    assert_eq!(
        table("CREATE TABLE t (a INT ARRAY, b ROW(x INT))")
            .columns
            .len(),
        2
    );
}

#[test]
fn types() {
    let same = [
        "CHAR(1)",
        "VARCHAR(20)",
        "STRING",
        "BOOLEAN",
        "BINARY(2)",
        "VARBINARY(9)",
        "BYTES",
        "DECIMAL(38, 18)",
        "TINYINT",
        "SMALLINT",
        "INT",
        "BIGINT",
        "FLOAT",
        "DOUBLE",
        "DATE",
        "TIME(0)",
        "TIMESTAMP(9)",
        "TIMESTAMP_LTZ(3)",
        "INTERVAL YEAR TO MONTH",
        "INTERVAL DAY TO SECOND",
        "ARRAY<INT NOT NULL>",
        "MAP<STRING, MAP<INT, ARRAY<BYTES>>>",
        "MULTISET<STRING>",
        "ROW<`a b` INT, `c` ROW<`d` STRING>>",
        "INT NOT NULL",
    ];
    for text in same {
        let t = parse_type_text(text).unwrap();
        assert_eq!(t.to_string(), text);
        // Through a CAST and back.
        let Expr::Cast { data_type, .. } = expr(&format!("CAST(x AS {text})")) else {
            panic!("{text}")
        };
        assert_eq!(sql_type_of(&data_type).unwrap(), t, "{data_type:?}");
    }
    let written = [
        ("VARCHAR(2147483647)", "STRING"),
        ("dec(5)", "DECIMAL(5, 0)"),
        ("NUMERIC", "DECIMAL(10, 0)"),
        ("double precision", "DOUBLE"),
        ("TIMESTAMP", "TIMESTAMP(6)"),
        ("TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)"),
        ("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)"),
        ("INT NOT NULL ARRAY", "ARRAY<INT NOT NULL>"),
        ("STRING MULTISET", "MULTISET<STRING>"),
        ("ROW(a INT 'comment', b STRING)", "ROW<`a` INT, `b` STRING>"),
        ("INTERVAL DAY(3) TO SECOND(3)", "INTERVAL DAY TO SECOND"),
        ("CHARACTER VARYING(3)", "VARCHAR(3)"),
    ];
    for (text, canonical) in written {
        assert_eq!(parse_type_text(text).unwrap().to_string(), canonical);
    }
    for wrong in [
        "",
        "FOO",
        "ARRAY<INT",
        "ARRAY<INT>>",
        "DECIMAL(39)",
        "TIMESTAMP(10)",
        "INT INT",
        "ROW<>",
        "INT(3)",
    ] {
        assert!(parse_type_text(wrong).is_err(), "{wrong}");
    }
    let deep = format!("{}INT{}", "ARRAY<".repeat(500), ">".repeat(500));
    assert!(parse_type_text(&deep).unwrap_err().contains("deeply"));
    let Expr::TypedString(literal) = expr("TIMESTAMP '2020-01-01 00:00:00'") else {
        panic!()
    };
    assert_eq!(
        sql_type_of(&literal.data_type).unwrap().to_string(),
        "TIMESTAMP(6)"
    );
    assert_eq!(
        printed("TRY_CAST(x AS ROW<a INT>)"),
        "TRY_CAST(x AS ROW(ROW<`a` INT>))"
    );
}

#[test]
fn intervals() {
    let cases = [
        ("INTERVAL '5' MINUTES", "5", Some(DateTimeField::Minute)),
        ("INTERVAL '10' SECOND(3)", "10", Some(DateTimeField::Second)),
        ("INTERVAL '0.5' SECONDS", "0.5", Some(DateTimeField::Second)),
        ("INTERVAL -'3' DAY(3)", "-3", Some(DateTimeField::Day)),
        ("INTERVAL '2' QUARTER", "6", Some(DateTimeField::Month)),
        ("INTERVAL '2' WEEKS", "14", Some(DateTimeField::Day)),
        (
            "INTERVAL '1 02:03:04.5' DAY TO SECOND(1)",
            "1 days 2 hours 3 minutes 4.5 seconds",
            None,
        ),
        ("INTERVAL '-1 02' DAY TO HOUR", "-1 days -2 hours", None),
        (
            "INTERVAL '10:00' MINUTE TO SECOND",
            "10 minutes 0 seconds",
            None,
        ),
        ("INTERVAL '1-2' YEAR TO MONTH", "1 years 2 months", None),
    ];
    for (text, value, field) in cases {
        let Expr::Interval(interval) = expr(text) else {
            panic!("{text}")
        };
        assert_eq!(interval.value.to_string(), format!("'{value}'"), "{text}");
        assert_eq!(interval.leading_field, field);
        assert_eq!(interval.last_field, None);
    }
    assert_eq!(
        printed("a - INTERVAL '1' DAY + b"),
        "a - INTERVAL '1' DAY + b"
    );
    for wrong in [
        "INTERVAL '5'",
        "INTERVAL '5 minutes' MINUTE",
        "INTERVAL 5 MINUTE",
        "INTERVAL x DAY",
        "INTERVAL '1' DAY TO SECOND",
        "INTERVAL '1:2' SECOND TO DAY",
        "INTERVAL 'a' DAY",
        "INTERVAL '1.5' DAY",
    ] {
        let told = mistakes::mistakes(&format!("SELECT {wrong} FROM t"));
        assert!(told.contains("INTERVAL"), "{told}");
    }
}

#[test]
fn expressions() {
    let cases = [
        ("FLOOR(x TO HOUR)", "FLOOR(x, 'HOUR')"),
        ("CEILING(x TO DAYS)", "CEIL(x, 'DAY')"),
        ("floor(x)", "FLOOR(x)"),
        (
            "TIMESTAMPDIFF(MINUTE, a, b)",
            "TIMESTAMPDIFF('MINUTE', a, b)",
        ),
        (
            "TIMESTAMPADD(SQL_TSI_DAY, 1, b)",
            "TIMESTAMPADD('DAY', 1, b)",
        ),
        ("JSON_VALUE(j, '$.a')", "JSON_VALUE(j, '$.a')"),
        (
            "JSON_VALUE(j, '$.a' RETURNING INTEGER DEFAULT 1 + 1 ON EMPTY ERROR ON ERROR)",
            "JSON_VALUE(j, '$.a', 'RETURNING INT', 'DEFAULT ON EMPTY', 1 + 1, 'ERROR ON ERROR', NULL)",
        ),
        (
            "JSON_VALUE(j, '$.a' NULL ON ERROR)",
            "JSON_VALUE(j, '$.a', 'RETURNING STRING', 'NULL ON EMPTY', NULL, 'NULL ON ERROR', NULL)",
        ),
        (
            "JSON_QUERY(j, '$.a' RETURNING ARRAY<STRING> WITH WRAPPER EMPTY ARRAY ON EMPTY)",
            "JSON_QUERY(j, '$.a', 'RETURNING ARRAY<STRING>', 'WITH UNCONDITIONAL ARRAY WRAPPER', 'EMPTY ARRAY ON EMPTY', 'NULL ON ERROR')",
        ),
        (
            "JSON_EXISTS(j, '$.a' FALSE ON ERROR)",
            "JSON_EXISTS(j, '$.a', 'FALSE ON ERROR')",
        ),
        (
            "JSON_OBJECT(KEY 'a' VALUE 1, 'b' VALUE c ABSENT ON NULL)",
            "JSON_OBJECT('ABSENT ON NULL', 'a', 1, 'b', c)",
        ),
        ("JSON_OBJECT()", "JSON_OBJECT('NULL ON NULL')"),
        (
            "JSON_ARRAY(1, 'x' NULL ON NULL)",
            "JSON_ARRAY('NULL ON NULL', 1, 'x')",
        ),
        (
            "JSON_OBJECTAGG(KEY k VALUE v) FILTER (WHERE k > 1)",
            "JSON_OBJECTAGG('NULL ON NULL', k, v) FILTER (WHERE k > 1)",
        ),
        ("x IS NOT JSON OBJECT", "NOT IS_JSON(x, 'OBJECT')"),
        (
            "x NOT BETWEEN SYMMETRIC 1 AND 2",
            "NOT (x BETWEEN 1 AND 2 OR x BETWEEN 2 AND 1)",
        ),
        (
            "x BETWEEN ASYMMETRIC 1 AND 2 AND y",
            "x BETWEEN 1 AND 2 AND y",
        ),
        ("MAP['a', 1, 'b', 2]", "MAP {'a': 1, 'b': 2}"),
        ("ARRAY[1, 2][1]", "ARRAY[1, 2][1]"),
        ("ROW(1, 'a')", "ROW(1, 'a')"),
        ("m['k'].f", "m['k'].f"),
        ("x IS NOT DISTINCT FROM y", "x IS NOT DISTINCT FROM y"),
        ("x SIMILAR TO 'a%'", "x SIMILAR TO 'a%'"),
        ("CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("TRIM(BOTH ' ' FROM x)", "TRIM(BOTH ' ' FROM x)"),
        ("SUBSTRING(x FROM 1 FOR 2)", "SUBSTRING(x FROM 1 FOR 2)"),
        ("POSITION('a' IN x)", "POSITION('a' IN x)"),
        (
            "OVERLAY(x PLACING 'a' FROM 1 FOR 2)",
            "OVERLAY(x PLACING 'a' FROM 1 FOR 2)",
        ),
        ("EXTRACT(DAY FROM ts)", "EXTRACT(DAY FROM ts)"),
        (
            "COUNT(DISTINCT a) FILTER (WHERE b)",
            "COUNT(DISTINCT a) FILTER (WHERE b)",
        ),
        (
            "SUM(x) OVER (PARTITION BY a ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW)",
            "SUM(x) OVER (PARTITION BY a ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW)",
        ),
        ("U&'\\0041b'", "'Ab'"),
        ("x'0aff'", "X'0aff'"),
        ("'it''s' || `a b`", "'it''s' || `a b`"),
        (
            "CASE WHEN a = 1 THEN 'x' ELSE NULL END",
            "CASE WHEN a = 1 THEN 'x' ELSE NULL END",
        ),
        ("NOT a <> 1 AND b != 2", "NOT a <> 1 AND b <> 2"),
        (
            "COALESCE(LAG(v, 1) OVER w, 0)",
            "COALESCE(LAG(v, 1) OVER w, 0)",
        ),
        ("t.`value`.inner_field", "t.`value`.inner_field"),
        ("ML(MODEL m, a)", "ML(MODEL(m), a)"),
        ("LISTAGG(x, ',')", "LISTAGG(x, ',')"),
        ("YEAR(d)", "YEAR(d)"),
        ("a = b IN (1, 2)", "a = b IN (1, 2)"),
    ];
    for (text, expected) in cases {
        assert_eq!(printed(text), expected);
    }
    let Expr::BinaryOp { right, .. } = expr("a = b IN (1, 2)") else {
        panic!()
    };
    assert!(matches!(*right, Expr::InList { .. }));
}

#[test]
fn table_functions() {
    let texts = [
        "SELECT * FROM TABLE(TUMBLE(TABLE db.`my bids`, DESCRIPTOR(t), INTERVAL '5' MINUTES)) AS w",
        "SELECT * FROM TABLE(TUMBLE(DATA => TABLE db.`my bids`, TIMECOL => DESCRIPTOR(t), SIZE => INTERVAL '5' MINUTE)) w",
        "SELECT * FROM TUMBLE(TABLE db.`my bids`, DESCRIPTOR(t), INTERVAL '5' MINUTES) w",
        "SELECT * FROM TUMBLE((SELECT * FROM db.`my bids`), DESCRIPTOR(t), INTERVAL '5' MINUTES) w",
        "SELECT * FROM LATERAL TABLE(TUMBLE(TABLE db.`my bids`, DESCRIPTOR(t), INTERVAL '5' MINUTES)) w",
    ];
    for text in texts {
        let factor = from(text);
        let call = table_function_call(&factor).expect(text);
        assert_eq!(call.name.to_string(), "TUMBLE");
        assert_eq!(call.args.len(), 3);
        assert_eq!(call.alias.unwrap().name.value, "w");
        let table = table_argument(call.args[0].1).unwrap();
        assert_eq!(table.query.to_string(), "SELECT * FROM db.`my bids`");
        assert!(table.partition_by.is_empty());
        assert_eq!(descriptor_columns(call.args[1].1).unwrap()[0].value, "t");
        assert!(matches!(call.args[2].1, Expr::Interval(_)));
        assert_eq!(call.args[2].0.is_some(), text.contains("SIZE"));
        assert_eq!(call.span.start.line, 1, "{text}");
    }
    for (text, keys) in [
        (
            "SESSION(TABLE bids PARTITION BY a, `b`, DESCRIPTOR(t), INTERVAL '1' HOUR)",
            2,
        ),
        (
            "SESSION(TABLE bids PARTITION BY (a, b), DESCRIPTOR(t), INTERVAL '1' HOUR)",
            2,
        ),
        (
            "SESSION((SELECT * FROM bids) PARTITION BY a, DESCRIPTOR(t), INTERVAL '1' HOUR)",
            1,
        ),
        (
            "HOP(TABLE bids, DESCRIPTOR(t), INTERVAL '1' HOUR, INTERVAL '2' HOUR)",
            0,
        ),
    ] {
        let factor = from(&format!("SELECT * FROM TABLE({text})"));
        let call = table_function_call(&factor).unwrap();
        assert_eq!(
            table_argument(call.args[0].1).unwrap().partition_by.len(),
            keys
        );
        assert_eq!(call.args.len(), if keys == 0 { 4 } else { 3 });
    }
    let select = select("SELECT * FROM t CROSS JOIN UNNEST(t.tags) WITH ORDINALITY AS u (tag, n)");
    let call = table_function_call(&select.from[0].joins[0].relation).unwrap();
    assert!(call.with_ordinality);
    assert_eq!(call.alias.unwrap().columns.len(), 2);
    assert!(table_function_call(&from("SELECT * FROM t")).is_none());
}

#[test]
fn queries() {
    for text in [
        "SELECT DISTINCT a, COUNT(*) AS n FROM t WHERE a > 1 GROUP BY GROUPING SETS ((a), ()) HAVING COUNT(*) > 1 ORDER BY a LIMIT 3",
        "SELECT a FROM t GROUP BY CUBE (a, b)",
        "SELECT a FROM t GROUP BY ROLLUP (a, b)",
        "WITH x AS (SELECT 1 AS a), y AS (TABLE x) SELECT * FROM x, y",
        "SELECT * FROM a LEFT JOIN b FOR SYSTEM_TIME AS OF a.pt AS d ON a.id = d.id",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS rn FROM t) WHERE rn <= 3",
        "SELECT a, SUM(b) OVER w FROM t WINDOW w AS (PARTITION BY a ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
        "SELECT a FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY ts) = 1",
        "SELECT a FROM t UNION ALL SELECT b FROM u EXCEPT SELECT c FROM v INTERSECT TABLE w",
        "SELECT * FROM t WHERE a IN (SELECT b FROM u) AND EXISTS (SELECT 1 FROM v WHERE v.x = t.x)",
        "VALUES (1, 'a'), (2, NULL)",
        "TABLE t",
        "EXECUTE SELECT 1",
        "(SELECT 1) UNION (SELECT 2)",
        "SELECT * FROM (VALUES (1, 'a')) AS t (x, y)",
        "SELECT /* plain */ name, data, type, source FROM t AS output",
        "SELECT t.* FROM t, LATERAL TABLE(split(x)) AS s (word)",
        "SELECT a FROM t ORDER BY a OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
        "SELECT CAST(a AS STRING) b FROM t",
        "SELECT `time`, `order` FROM `select`",
        "SELECT window_start, window_end, SUM(x) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY)) GROUP BY window_start, window_end",
    ] {
        query(text);
    }
    assert_eq!(query("TABLE a.`b`").to_string(), "SELECT * FROM a.`b`");
    let printed = query("SELECT 1 UNION ALL TABLE b").to_string();
    assert_eq!(printed, "SELECT 1 UNION ALL SELECT * FROM b");
}

#[test]
fn match_recognize() {
    let factor = from(
        "SELECT * FROM ticks MATCH_RECOGNIZE (
           PARTITION BY symbol ORDER BY rowtime
           MEASURES FIRST(A.price) AS p, LAST(B.price) AS q
           ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
           PATTERN (A B{2,}? C*) WITHIN INTERVAL '1' HOUR
           DEFINE A AS A.price > (1), B AS B.price < PREV(B.price)) AS m",
    );
    let TableFactor::MatchRecognize { symbols, .. } = &factor else {
        panic!()
    };
    assert_eq!(symbols.len(), 3);
    assert!(matches!(match_within(&factor), Some(Expr::Interval(_))));
}

#[test]
fn hints() {
    let text = "SELECT * FROM db.orders /*+ OPTIONS('a'='b', 'c' = 'd') */ AS o JOIN rates /*+ OPTIONS('x'='y') */ FOR SYSTEM_TIME AS OF o.ts r ON o.c = r.c";
    let select = select(text);
    let options = table_options_hint(&select.from[0].relation).unwrap();
    assert_eq!(options.len(), 2);
    assert_eq!(options[1].value.value, "d");
    assert_eq!(options[0].key.span.start.column, 37);
    let TableFactor::Table { alias, .. } = &select.from[0].relation else {
        panic!()
    };
    assert_eq!(alias.as_ref().unwrap().name.value, "o");
    let joined = &select.from[0].joins[0].relation;
    assert_eq!(table_options_hint(joined).unwrap()[0].key.value, "x");
    let TableFactor::Table { version, alias, .. } = joined else {
        panic!()
    };
    assert!(version.is_some() && alias.is_some());
    for text in [
        "SELECT * FROM t/*+OPTIONS('a'='b')*/",
        "SELECT * FROM t/*+OPTIONS('a'='b')*/x",
        "SELECT * FROM t /*+OPTIONS('a'='b')*/ WHERE a > 1",
        "SELECT * FROM t\n/*+ OPTIONS(\n'a'='b') */\nx, u",
    ] {
        assert_eq!(
            table_options_hint(&self::select(text).from[0].relation)
                .unwrap()
                .len(),
            1,
            "{text}"
        );
    }
    let factor = from(
        "SELECT * FROM TABLE(TUMBLE(TABLE t /*+ OPTIONS('a'='b') */, DESCRIPTOR(ts), INTERVAL '1' DAY))",
    );
    let call = table_function_call(&factor).unwrap();
    assert!(
        table_argument(call.args[0].1)
            .unwrap()
            .query
            .to_string()
            .contains("OPTIONS('a' = 'b')")
    );
    let StatementKind::Insert(insert) =
        only(parse("INSERT INTO s /*+ OPTIONS('a'='b') */ (x) SELECT 1"))
    else {
        panic!()
    };
    assert_eq!(insert.hint_options[0].value.value, "b");
    assert_eq!(insert.columns.len(), 1);
}

const SCRIPT: &str = "SET 'pipeline.name' = 'x';
SET execution.checkpointing.interval = 3 s; SET parallelism.default=4; SET table.local-time-zone = UTC; SET;
RESET; RESET 'a'; RESET a.b-c;
CREATE VIEW v (a, b) COMMENT 'c' AS SELECT 1, 2;
CREATE TEMPORARY VIEW IF NOT EXISTS w AS TABLE v;
DROP TABLE IF EXISTS t; DROP TEMPORARY VIEW v;
ALTER TABLE t SET ('a' = 'b'); ALTER TABLE t RESET ('a', 'b');
INSERT INTO s (a, `b`) SELECT a, b FROM t ON CONFLICT DO DEDUPLICATE;
INSERT INTO s VALUES (1, 2);
INSERT INTO s TABLE t; INSERT INTO s (a) TABLE t; INSERT INTO s (SELECT 1);
EXECUTE INSERT INTO s SELECT 1;
EXECUTE STATEMENT SET BEGIN
INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM t;
INSERT INTO b SELECT 2;
END;
BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END;
SHOW TABLES; SHOW VIEWS; SHOW FUNCTIONS; SHOW CREATE TABLE t; SHOW CREATE VIEW v; SHOW COLUMNS FROM t; SHOW DATABASES; SHOW CATALOGS;
DESCRIBE t; DESC `a`.t;
EXPLAIN SELECT 1; EXPLAIN PLAN FOR INSERT INTO s SELECT 1; EXPLAIN ESTIMATED_COST, CHANGELOG_MODE TABLE t;
EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1; END;;
";

#[test]
fn statements() {
    let kinds = parse(SCRIPT);
    assert_eq!(kinds.len(), 36);
    let StatementKind::Set(Some(setting)) = &kinds[1] else {
        panic!()
    };
    assert_eq!(
        (setting.key.value.as_str(), setting.value.value.as_str()),
        ("execution.checkpointing.interval", "3 s")
    );
    let StatementKind::Set(Some(setting)) = &kinds[3] else {
        panic!()
    };
    assert_eq!(setting.key.value, "table.local-time-zone");
    let StatementKind::Insert(insert) = &kinds[14] else {
        panic!("{:?}", kinds[14])
    };
    assert_eq!(
        insert.on_conflict.as_ref().unwrap().value,
        ConflictAction::Deduplicate
    );
    let StatementKind::StatementSet(inserts) = &kinds[20] else {
        panic!()
    };
    assert_eq!(inserts.len(), 2);
    assert_eq!(inserts[0].0.start.line, 13);
    let StatementKind::Explain(inner) = &kinds[35] else {
        panic!()
    };
    assert!(matches!(inner.kind, StatementKind::StatementSet(_)));
    let crlf = SCRIPT.replace('\n', "\r\n");
    assert_eq!(parse(&crlf).len(), 36);
    assert_eq!(parse("").len() + parse("-- nothing\n;;").len(), 0);
    let file = SourceFile::new("bom.sql", "\u{feff}SELECT 1");
    assert_eq!(
        parse_script(&file).unwrap().statements[0].span.start.column,
        2
    );
    let file = SourceFile::new("a.sql", "SELECT 1;\n  SELECT\n 2 ;");
    let span = parse_script(&file).unwrap().statements[1].span;
    assert_eq!(
        (
            span.start.line,
            span.start.column,
            span.end.line,
            span.end.column
        ),
        (2, 3, 3, 3)
    );
}
