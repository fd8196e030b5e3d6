-- case: what an INSERT fits to the sink's types: numbers widen, texts are cut to VARCHAR(n), DECIMAL is rounded and NULL if it does not fit, timestamps are cut
CREATE TABLE t (i INT, s STRING, de DECIMAL(10, 3), ts TIMESTAMP(6), l TIMESTAMP_LTZ(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_t (l BIGINT, d DOUBLE, v VARCHAR(3), de DECIMAL(6, 1), ts TIMESTAMP(3), lt TIMESTAMP(3), dd DATE) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_t SELECT i, i, s, de, ts, l, CAST(ts AS DATE) FROM t;
