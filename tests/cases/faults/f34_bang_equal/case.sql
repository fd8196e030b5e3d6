-- case: <> written as !=
-- differs: != is accepted as another way to write <>
CREATE TABLE t (k STRING, v INT, xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k FROM t WHERE v != 1;
