-- case: a table joined with itself
CREATE TABLE a (id INT, k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (k STRING, n INT, t STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT x.id, y.id AS id2 FROM a AS x JOIN a AS y ON x.k = y.k AND x.id < y.id;
SELECT x.id, y.v AS next_ FROM a AS x LEFT JOIN a AS y ON y.id = x.id + 1;
SELECT x.id FROM a AS x WHERE x.v >= (SELECT AVG(y.v) FROM a AS y WHERE y.k = x.k);
