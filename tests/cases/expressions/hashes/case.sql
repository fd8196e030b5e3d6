-- case: MD5, SHA1 and SHA2; CRC32 and others by their length
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, MD5(s) AS m, SHA1(s) AS s1, SHA224(s) AS s224, SHA256(s) AS s256, SHA2(s, 512) AS s512, SHA2(s, 256) = SHA256(s) AS eq FROM t;
