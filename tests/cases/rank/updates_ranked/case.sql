-- case: Top-2 with the rank over sums: rows overtake each other and vanish, the next one moves up
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_r (k STRING, rn BIGINT, item STRING, s INT, PRIMARY KEY (k, rn) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_r',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_r SELECT k, rn, item, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s DESC, item) AS rn FROM (SELECT k, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k, item HAVING SUM(v) <> 0)) WHERE rn <= 2;
SELECT k, rn, item FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s, item DESC) AS rn FROM (SELECT k, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k, item HAVING SUM(v) <> 0)) WHERE rn <= 2;
