//! The functions of arrays and maps on what was measured on Flink 2.3.

use crate::sql_tests::{run, value_of};

#[test]
fn as_measured() {
    for (sql, expected) in [
        ("CARDINALITY(make_array(1,2))", "2"),
        ("CARDINALITY(map(['a'], [1]))", "1"),
        ("CARDINALITY(arrow_cast(NULL, 'List(Int64)'))", "NULL"),
        ("ARRAY_CONTAINS(make_array(1,2), 2)", "TRUE"),
        ("ARRAY_CONTAINS(make_array(1,2), 5)", "FALSE"),
        (
            "ARRAY_CONTAINS(make_array(1,CAST(NULL AS INT)), CAST(NULL AS INT))",
            "TRUE",
        ),
        ("ARRAY_CONTAINS(arrow_cast(NULL, 'List(Int64)'), 1)", "NULL"),
        ("ARRAY_CONTAINS(make_array('a','b'), 'b')", "TRUE"),
        (
            "ARRAY_DISTINCT(make_array(1,2,1,CAST(NULL AS INT),CAST(NULL AS INT)))",
            "[1, 2, NULL]",
        ),
        ("ARRAY_POSITION(make_array(3,2,1), 1)", "3"),
        ("ARRAY_POSITION(make_array(3,2,1), 7)", "0"),
        (
            "ARRAY_POSITION(make_array(3,CAST(NULL AS INT)), CAST(NULL AS INT))",
            "NULL",
        ),
        ("ARRAY_REMOVE(make_array(3,2,3), 3)", "[2]"),
        (
            "ARRAY_REMOVE(make_array(3,CAST(NULL AS INT)), CAST(NULL AS INT))",
            "[3]",
        ),
        ("ARRAY_REVERSE(make_array(3,2,1))", "[1, 2, 3]"),
        (
            "ARRAY_SLICE(make_array('a','b','c','d','e'), -2, -1)",
            "[d, e]",
        ),
        (
            "ARRAY_SLICE(make_array('a','b','c','d','e'), 2, 3)",
            "[b, c]",
        ),
        (
            "ARRAY_SLICE(make_array('a','b','c','d','e'), 2)",
            "[b, c, d, e]",
        ),
        (
            "ARRAY_SLICE(make_array('a','b','c','d','e'), 0, 2)",
            "[a, b]",
        ),
        ("ARRAY_SLICE(make_array('a','b','c'), 3, 2)", "[]"),
        ("ARRAY_SLICE(make_array('a','b','c'), 7, 9)", "[]"),
        ("ARRAY_SLICE(make_array('a','b','c'), -9, 2)", "[a, b]"),
        ("ARRAY_SLICE(make_array('a','b','c'), 1, 0)", "[a]"),
        (
            "ARRAY_SLICE(make_array('a','b','c'), CAST(NULL AS INT), 2)",
            "NULL",
        ),
        ("ARRAY_SORT(make_array(3,1,2))", "[1, 2, 3]"),
        (
            "ARRAY_SORT(make_array(3,CAST(NULL AS INT),2))",
            "[NULL, 2, 3]",
        ),
        (
            "ARRAY_SORT(make_array(3,CAST(NULL AS INT),2), FALSE)",
            "[3, 2, NULL]",
        ),
        (
            "ARRAY_SORT(make_array(3,CAST(NULL AS INT),2), TRUE)",
            "[NULL, 2, 3]",
        ),
        (
            "ARRAY_SORT(make_array(3,CAST(NULL AS INT),2), FALSE, TRUE)",
            "[NULL, 3, 2]",
        ),
        (
            "ARRAY_SORT(make_array(3,CAST(NULL AS INT),2), TRUE, FALSE)",
            "[2, 3, NULL]",
        ),
        (
            "ARRAY_UNION(make_array(1,2,2), make_array(2,3))",
            "[1, 2, 3]",
        ),
        (
            "ARRAY_UNION(make_array(1), arrow_cast(NULL, 'List(Int64)'))",
            "NULL",
        ),
        (
            "ARRAY_CONCAT(make_array(1,2), make_array(2,3), make_array(9))",
            "[1, 2, 2, 3, 9]",
        ),
        ("ARRAY_CONCAT(make_array(1,2))", "[1, 2]"),
        (
            "ARRAY_CONCAT(make_array(1,2), arrow_cast(NULL, 'List(Int64)'))",
            "NULL",
        ),
        ("ARRAY_MAX(make_array(1,3,CAST(NULL AS INT)))", "3"),
        ("ARRAY_MIN(make_array(1,3,CAST(NULL AS INT)))", "1"),
        ("ARRAY_MAX(make_array(CAST(NULL AS INT)))", "NULL"),
        (
            "ARRAY_JOIN(make_array('a','b',CAST(NULL AS VARCHAR)), '-')",
            "a-b",
        ),
        (
            "ARRAY_JOIN(make_array('a','b',CAST(NULL AS VARCHAR)), '-', 'z')",
            "a-b-z",
        ),
        ("ARRAY_JOIN(make_array('a'), CAST(NULL AS VARCHAR))", "NULL"),
        ("ARRAY_APPEND(make_array(1,2), 3)", "[1, 2, 3]"),
        (
            "ARRAY_APPEND(make_array(1,2), CAST(NULL AS INT))",
            "[1, 2, NULL]",
        ),
        ("ARRAY_PREPEND(make_array(1,2), 0)", "[0, 1, 2]"),
        (
            "ARRAY_EXCEPT(make_array(1,1,2,2,3), make_array(1))",
            "[2, 3]",
        ),
        (
            "ARRAY_INTERSECT(make_array(1,1,2,2), make_array(2,1,1))",
            "[1, 2]",
        ),
        ("ELEMENT(make_array(7))", "7"),
        ("ELEMENT(arrow_cast(NULL, 'List(Int64)'))", "NULL"),
        ("MAP_KEYS(map(['b', 'a'], [1, 2]))", "[b, a]"),
        ("MAP_VALUES(map(['b', 'a'], [1, 2]))", "[1, 2]"),
        ("MAP_ENTRIES(map(['b', 'a'], [1, 2]))", "[(b, 1), (a, 2)]"),
        (
            "MAP_FROM_ARRAYS(make_array('a','b'), make_array(1,2))",
            "{a=1, b=2}",
        ),
        (
            "MAP_FROM_ARRAYS(make_array('a','a'), make_array(1,2))",
            "{a=2}",
        ),
        (
            "MAP_UNION(map(['a', 'b'], [1, 2]), map(['b', 'c'], [9, 3]))",
            "{a=1, b=9, c=3}",
        ),
        ("MAP_UNION(map(['a'], [1]))", "{a=1}"),
    ] {
        assert_eq!(value_of(sql), expected, "{sql}");
    }
}

#[test]
fn types_in_common() {
    for (sql, expected) in [
        (
            "map_union(map(['a'], [1]), map(['b'], [2.5]))",
            "{a=1.0, b=2.5}",
        ),
        (
            "array_concat([1], [2.5], NULL), array_concat([1], [2.5])",
            "NULL [1.0, 2.5]",
        ),
        ("array_contains([1, 2], arrow_cast(2, 'Int32'))", "TRUE"),
    ] {
        assert_eq!(value_of(sql), expected, "{sql}");
    }
}

#[test]
fn over_columns() {
    let arrays = "(SELECT make_array(column1, column2, column1) AS a, column2 AS b FROM (VALUES (1, 2), (3, NULL), (5, 5)))";
    let rows = run(&format!(
        "SELECT array_distinct(a), array_contains(a, b), array_position(a, b), array_remove(a, b), array_append(a, 9), \
         array_union(a, [7]), array_sort(a, false), array_max(a), cardinality(a), array_slice(a, b), \
         map_values(map_from_arrays(a, a)) FROM {arrays} WHERE b IS NOT NULL"
    ))
    .unwrap();
    assert_eq!(
        rows,
        [
            "[1, 2] TRUE 2 [1, 1] [1, 2, 1, 9] [1, 2, 7] [2, 1, 1] 2 3 [2, 1] [1, 2]",
            "[5] TRUE 1 [] [5, 5, 5, 9] [5, 7] [5, 5, 5] 5 3 [] [5]",
        ]
    );
    let rows = run(&format!(
        "SELECT array_contains(a, b), array_position(a, b), array_remove(a, b) FROM {arrays}"
    ))
    .unwrap();
    assert_eq!(rows[1], "TRUE NULL [3, 3]");
}

#[test]
fn errors() {
    for (sql, expected) in [
        (
            "element([1, 2])",
            "ELEMENT: Array has more than one element",
        ),
        (
            "map_from_arrays(['a', 'b'], [1])",
            "the length of the keys array 2 is not equal to the length of the values array 1",
        ),
        ("array_join([1], ',')", "ARRAY_JOIN takes an ARRAY<STRING>"),
        ("map_union(1)", "is no MAP"),
        ("cardinality(1)", "CARDINALITY takes one ARRAY or MAP"),
    ] {
        let error = value_of(sql);
        assert!(error.contains(expected), "{sql}: {error}");
    }
}
