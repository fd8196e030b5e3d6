-- case: array functions: NULL arrays, NULL elements, what is missing
CREATE TABLE t (id INT, xs ARRAY<INT>, ss ARRAY<STRING>, m MAP<STRING, INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CARDINALITY(xs) AS c, ARRAY_CONTAINS(xs, 5) AS h5, ARRAY_POSITION(xs, 2) AS p2, ARRAY_DISTINCT(xs) AS d, ARRAY_APPEND(xs, 9) AS ap, ARRAY_PREPEND(xs, 0) AS pp, ARRAY_REMOVE(xs, 5) AS rm, ARRAY_REVERSE(xs) AS rv, ARRAY_SLICE(xs, 2, 3) AS sl FROM t;
SELECT id, ARRAY_MAX(xs) AS mx, ARRAY_MIN(xs) AS mn, ARRAY_SORT(xs) AS so, ARRAY_SORT(xs, FALSE) AS sd, ARRAY_UNION(xs, ARRAY[1, 8]) AS un, ARRAY_INTERSECT(xs, ARRAY[1, 5]) AS it, ARRAY_EXCEPT(xs, ARRAY[1, 5]) AS ex, ARRAY_CONCAT(xs, ARRAY[4]) AS cc, ARRAY_JOIN(ss, '-') AS j, ARRAY_JOIN(ss, '-', '?') AS jn FROM t;
SELECT id, xs[1] AS x1, ELEMENT(ARRAY[id]) AS el, ARRAY[id, 2] AS lit, ss[2] || '!' AS s2 FROM t;
