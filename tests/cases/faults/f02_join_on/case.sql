-- case: a condition of a join stops where it is decided
CREATE TABLE t (id INT, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (id INT, d INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT t.id, t.a, u.d FROM t JOIN u ON t.id = u.id AND u.d <> 0 AND t.a / u.d > 1;
SELECT t.id, u.d FROM t LEFT JOIN u ON t.id = u.id AND (u.d = 0 OR t.a / u.d > 2);
SELECT t.id, u.id AS uid FROM t FULL JOIN u ON t.id = u.id AND u.d <> 0 AND t.b <> 0 AND u.d / t.b + t.b / u.d >= 1;
SELECT t.id FROM t JOIN u ON t.id = u.id WHERE u.d <> 0 AND t.a / u.d > 2;
