-- case: two INSERTs of changing queries into one keyed table, of keys that do not meet
CREATE TABLE e (k STRING, g STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, s INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
EXECUTE STATEMENT SET
BEGIN
  INSERT INTO out_k SELECT 'k:' || k, SUM(v) FROM e GROUP BY 'k:' || k;
  INSERT INTO out_k SELECT 'g:' || g, SUM(v) FROM e GROUP BY 'g:' || g HAVING SUM(v) > 5;
END;
