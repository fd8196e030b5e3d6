-- case: parts cut from raw lines and counted
CREATE TABLE t (line STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'raw'
);
CREATE TABLE out_l (level STRING, n BIGINT, PRIMARY KEY (level) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_l',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_l SELECT SUBSTRING(line, 1, 4), COUNT(*) FROM t GROUP BY SUBSTRING(line, 1, 4);
