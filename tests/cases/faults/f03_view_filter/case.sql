-- case: the filter of a view comes before that of the query over it
CREATE TABLE t (kind STRING, val STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW temps AS SELECT val FROM t WHERE kind = 'temp';
SELECT val FROM temps WHERE CAST(val AS DOUBLE) > 30;
SELECT COUNT(*) AS n, MAX(CAST(val AS DOUBLE)) AS m FROM temps WHERE CAST(val AS DOUBLE) > 1;
SELECT CAST(val AS DOUBLE) AS d FROM (SELECT * FROM t WHERE kind = 'temp') WHERE CAST(val AS DOUBLE) < 40;
