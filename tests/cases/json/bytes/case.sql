-- case: BYTES are base64 in JSON
CREATE TABLE t (id INT, b BYTES) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, b, CAST(b AS STRING) AS s, b IS NULL AS n FROM t;
