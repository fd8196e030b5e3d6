-- case: FLOAT and DOUBLE together take the type of the left operand
CREATE TABLE t (f FLOAT, d DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT f + d AS fd, d + f AS df, f * d AS fxd, d * f AS dxf FROM t;
