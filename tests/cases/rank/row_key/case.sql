-- case: the inner table has a PRIMARY KEY; the sink is keyed by it: a row that leaves the Top-N is deleted
CREATE TABLE e (id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE up (id INT, v INT, PRIMARY KEY (id) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'up',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE TABLE out_t (id INT, v INT, PRIMARY KEY (id) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO up SELECT id, SUM(v) FROM e GROUP BY id;
INSERT INTO out_t SELECT id, v FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY v DESC, id) AS rn FROM up) WHERE rn <= 2;
