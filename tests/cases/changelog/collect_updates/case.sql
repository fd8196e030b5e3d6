-- case: LISTAGG, ARRAY_AGG, FIRST_VALUE and LAST_VALUE over one row that changes: only its last value is left
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, LISTAGG(CAST(n AS STRING)) AS l, ARRAY_AGG(n) AS a, FIRST_VALUE(n) AS f, LAST_VALUE(n) AS z FROM (SELECT k, k IS NULL AS z, COUNT(*) AS n, SUM(v) AS s FROM e GROUP BY k) GROUP BY k, s IS NULL;
SELECT s, CHAR_LENGTH(LISTAGG(k)) AS l, CARDINALITY(ARRAY_AGG(k)) AS c FROM (SELECT k, SUM(v) AS s FROM e GROUP BY k) GROUP BY s;
