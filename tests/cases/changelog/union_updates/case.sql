-- case: UNION and UNION ALL of changing tables
CREATE TABLE a (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT n FROM (SELECT k, COUNT(*) AS n FROM a GROUP BY k) UNION SELECT n FROM (SELECT k, COUNT(*) AS n FROM b GROUP BY k);
SELECT k, SUM(n) AS n FROM (SELECT k, COUNT(*) AS n FROM a GROUP BY k UNION ALL SELECT k, -SUM(v) FROM b GROUP BY k UNION ALL SELECT k, 100 FROM a WHERE v > 2) GROUP BY k;
SELECT k, n FROM (SELECT k, COUNT(*) AS n FROM a GROUP BY k) UNION ALL SELECT k, CAST(v AS BIGINT) FROM b;
