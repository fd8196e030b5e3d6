-- case: state that was not written for 8 s of event time is given up between the same rows whatever the size of batches
-- differs: the TTL is counted in event time, in steps of an eighth of it; Flink counts by the clock, by which nothing expires here
-- parallelism: 1
-- set: table.exec.state.ttl=8 s
CREATE TABLE e (
  k STRING,
  v INT,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
-- A group.
SELECT k, COUNT(*) AS n, SUM(v) AS s FROM e GROUP BY k;
-- The values that are known already.
SELECT k, COUNT(DISTINCT v) AS n FROM e GROUP BY k;
-- Ranks.
SELECT k, v FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS r FROM e) WHERE r <= 1;
SELECT k, v, r FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v) AS r FROM e) WHERE r <= 2;
-- The first row of a key.
SELECT k, v FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS r FROM e) WHERE r = 1;
-- Rows before a row: these wait for the watermark.
SELECT k, v, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s, LAG(v) OVER (PARTITION BY k ORDER BY ts) AS l FROM e;
-- After an operator whose rows wait for the watermark.
SELECT k, COUNT(*) AS n, SUM(s) AS s FROM (
  SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '2' SECOND PRECEDING AND CURRENT ROW) AS s FROM e
) GROUP BY k;
