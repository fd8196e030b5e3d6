-- case: a NULL in a PRIMARY KEY column of the sink fails the job
-- error: account
CREATE TABLE t (account STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (account STRING, n BIGINT, PRIMARY KEY (account) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT account, COUNT(*) FROM t GROUP BY account;
