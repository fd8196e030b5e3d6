-- case: 'table.exec.sink.not-null-enforcer' = 'DROP': rows with NULL in a NOT NULL column are left out
CREATE TABLE e (k STRING, g STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SET 'table.exec.sink.not-null-enforcer' = 'DROP';
CREATE TABLE out_a (k STRING, v INT NOT NULL) WITH (
  'connector' = 'kafka',
  'topic' = 'out_a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, s INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_a SELECT k, v FROM e;
INSERT INTO out_k SELECT k, SUM(v) FROM e GROUP BY k;
