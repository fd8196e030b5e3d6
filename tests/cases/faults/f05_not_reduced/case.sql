-- case: FIRST_VALUE, LISTAGG and STDDEV over what is never true
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT FIRST_VALUE(id) AS f FROM t WHERE 1 = 0;
SELECT LISTAGG(s) AS l FROM t WHERE 1 = 0;
SELECT STDDEV_POP(id) AS sd FROM t WHERE 1 = 0;
SELECT COUNT(*) AS n, LISTAGG(s) AS l FROM t WHERE 1 = 0;
SELECT ARRAY_AGG(id) AS a FROM t WHERE FALSE;
