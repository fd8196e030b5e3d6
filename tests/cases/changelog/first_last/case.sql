-- case: FIRST_VALUE and LAST_VALUE over rows that only come: the first and last that is not NULL
CREATE TABLE e (k STRING, s STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, f STRING, l STRING, fv INT, lv INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT k, FIRST_VALUE(s), LAST_VALUE(s), FIRST_VALUE(v), LAST_VALUE(v) FROM e GROUP BY k;
SELECT FIRST_VALUE(s) AS f, LAST_VALUE(s) AS l FROM e;
