-- case: a table with a PRIMARY KEY is read with its updates and deletes: what they replace is withdrawn
CREATE TABLE e (k STRING, v INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE up (k STRING, s INT, t STRING, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'up',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE TABLE out_p (k STRING, s INT, t STRING) WITH ('connector' = 'print');
INSERT INTO up SELECT k, SUM(v), LAST_VALUE(s) FROM e GROUP BY k HAVING COUNT(*) < 4 AND (SUM(v) IS NULL OR SUM(v) <> 0);
INSERT INTO out_p SELECT * FROM up;
SELECT COUNT(*) AS n, SUM(s) AS s, MIN(s) AS mn, MAX(t) AS mx FROM up;
SELECT k, t FROM up WHERE s > 3 OR s IS NULL;
SELECT t IS NULL AS nt, SUM(s) AS s, LISTAGG(k) AS ks FROM up WHERE k = 'a' GROUP BY t IS NULL;
