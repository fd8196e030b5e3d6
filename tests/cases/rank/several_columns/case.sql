-- case: Top-N by several columns, up and down, over text, decimals and times
CREATE TABLE e (k STRING, id INT, s STRING, d DECIMAL(6, 2), ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, id, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s DESC, d ASC, ts) AS rn FROM e) WHERE rn <= 3;
SELECT k, id, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY d DESC, ts DESC) AS rn FROM e) WHERE rn <= 2;
SELECT id, rn FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY ts, id DESC) AS rn FROM e) WHERE rn <= 3;
