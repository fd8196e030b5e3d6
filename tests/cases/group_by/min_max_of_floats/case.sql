-- case: MIN and MAX of groups with Infinity, NaN, 0.0 and -0.0
CREATE TABLE t (id INT, ts TIMESTAMP(3), g STRING, f FLOAT, d DOUBLE, WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT g, MIN(f) AS a, MAX(f) AS b, MIN(d) AS c, MAX(d) AS e FROM t GROUP BY g;
SELECT g, MIN(f) AS a, MAX(f) AS b, MIN(d) AS c, MAX(d) AS e FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY g, window_start, window_end;
SELECT id, MIN(f) OVER w AS a, MAX(f) OVER w AS b, MIN(d) OVER w AS c, MAX(d) OVER w AS e FROM t WINDOW w AS (PARTITION BY g ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW);
SELECT id, MIN(d) OVER w AS c, MAX(d) OVER w AS e FROM t WINDOW w AS (PARTITION BY g ORDER BY ts);
