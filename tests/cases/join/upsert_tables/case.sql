-- case: tables with a PRIMARY KEY joined on their keys and on other columns
CREATE TABLE e (k INT, r STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE f (r STRING, w INT) WITH (
  'connector' = 'kafka',
  'topic' = 'f',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE o (k INT, r STRING, v INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'o',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE TABLE r (r STRING, w INT, PRIMARY KEY (r) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'r',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE TABLE out_j (k INT, r STRING, v INT, w INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_j',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO o SELECT k, LAST_VALUE(r), SUM(v) FROM e GROUP BY k HAVING SUM(v) > 0;
INSERT INTO r SELECT r, SUM(w) FROM f GROUP BY r HAVING SUM(w) > 0;
INSERT INTO out_j SELECT o.k, o.r, o.v, r.w FROM o LEFT JOIN r ON o.r = r.r ON CONFLICT DO DEDUPLICATE;
SELECT r.r, COUNT(o.k) AS n, SUM(o.v) AS s FROM r LEFT JOIN o ON o.r = r.r GROUP BY r.r;
SELECT o.k, r.w FROM o JOIN r ON o.r = r.r WHERE r.w > o.v;
