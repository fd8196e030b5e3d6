-- case: casts of bad text that must not be reached
CREATE TABLE t (id INT, kind STRING, val STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE kind = 'num' AND CAST(val AS INT) > 0;
SELECT id, CASE WHEN kind = 'num' THEN CAST(val AS INT) ELSE -1 END AS v FROM t;
SELECT id, CASE kind WHEN 'num' THEN CAST(val AS DOUBLE) WHEN 'text' THEN 0 END AS v FROM t;
SELECT id FROM t WHERE kind IS NULL OR kind <> 'num' OR CAST(val AS INT) < 0;
SELECT kind, SUM(CASE WHEN kind = 'num' THEN CAST(val AS INT) END) AS s FROM t GROUP BY kind;
SELECT kind, SUM(CAST(val AS INT)) FILTER (WHERE kind = 'num') AS s FROM t WHERE kind = 'num' GROUP BY kind;
SELECT id, IF(kind = 'num', CAST(val AS BIGINT), 0) AS v FROM t WHERE kind IS NOT NULL;
