-- case: three-valued logic
CREATE TABLE t (a BOOLEAN, b BOOLEAN) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, a AND b AS an, a OR b AS o, NOT a AS n, a = b AS eq, a <> b AS ne, a IS TRUE AS tr, a IS NOT FALSE AS nf, a IS UNKNOWN AS un, a IS NULL AS nu, (a AND b) IS NOT TRUE AS x FROM t;
SELECT a, b FROM t WHERE a AND (b IS NULL OR b);
