-- case: LISTAGG skips NULL, is NULL when there is nothing else, takes a separator, DISTINCT and FILTER
CREATE TABLE e (k STRING, s STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, l STRING, m STRING, d STRING, f STRING, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT k, LISTAGG(s), LISTAGG(s, '; '), LISTAGG(DISTINCT s), LISTAGG(s) FILTER (WHERE v > 1) FROM e GROUP BY k;
SELECT LISTAGG(CAST(v AS STRING), '') AS vs FROM e;
