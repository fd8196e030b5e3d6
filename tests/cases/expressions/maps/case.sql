-- case: map functions; keys in order
CREATE TABLE t (id INT, xs ARRAY<INT>, ss ARRAY<STRING>, m MAP<STRING, INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CARDINALITY(m) AS c, m['x'] AS x, ARRAY_SORT(MAP_KEYS(m)) AS k, ARRAY_SORT(MAP_VALUES(m)) AS v, CARDINALITY(MAP_ENTRIES(m)) AS e, CARDINALITY(MAP_UNION(m, MAP['w', 0])) AS w, MAP_FROM_ARRAYS(ARRAY['p', 'q'], ARRAY[id, 2]) AS fa, MAP['a', id]['a'] AS l FROM t;
