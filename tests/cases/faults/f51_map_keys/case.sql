-- case: maps with keys of numbers and values of rows
CREATE TABLE t (id INT, s STRING, n INT, m MAP<STRING, INT>, r MAP<STRING, ROW<a INT, b STRING>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, MAP[1, s, 2, 'two'][n] AS a, MAP[n, s][1] AS b FROM t WHERE n IS NOT NULL;
SELECT id, r[s].a AS a, r['x'].b AS b, r[s] AS c FROM t;
SELECT id, MAP['a', id, 'b', n]['a'] AS a, MAP['a', id][s] AS b, MAP_KEYS(m) AS c, MAP_VALUES(m) AS d FROM t WHERE id <> 1;
