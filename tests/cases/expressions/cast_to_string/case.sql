-- case: how each type prints
CREATE TABLE t (b BOOLEAN, t TINYINT, i INT, l BIGINT, f FLOAT, d DOUBLE, de DECIMAL(12, 4), dt DATE, tm TIME(0), ts TIMESTAMP(3), ts6 TIMESTAMP(6), lt TIMESTAMP_LTZ(3), byt BYTES) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT CAST(b AS STRING) AS b, CAST(t AS STRING) AS t, CAST(i AS STRING) AS i, CAST(l AS STRING) AS l, CAST(f AS STRING) AS f, CAST(d AS STRING) AS d, CAST(de AS STRING) AS de FROM t;
SELECT CAST(dt AS STRING) AS dt, CAST(tm AS STRING) AS tm, CAST(ts AS STRING) AS ts, CAST(ts6 AS STRING) AS ts6, CAST(lt AS STRING) AS lt, CAST(byt AS STRING) AS byt, CAST(CAST(ts AS TIMESTAMP(0)) AS STRING) AS ts0, CAST(d AS VARCHAR(3)) AS v3, CAST(i AS CHAR(4)) || '|' AS c4 FROM t;
