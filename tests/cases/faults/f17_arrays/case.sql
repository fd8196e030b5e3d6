-- case: rows within arrays and maps go by position
CREATE TABLE t (id INT, xs ARRAY<ROW<a INT, b STRING>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_a (id INT, xs ARRAY<ROW<b INT, a STRING>>) WITH ('connector' = 'print');
INSERT INTO out_a SELECT id, xs FROM t;
SELECT id, CAST(xs AS ARRAY<ROW<n BIGINT, t STRING>>) AS ys FROM t;
SELECT id, ARRAY[ROW(id, 'q')] AS zs FROM t;
