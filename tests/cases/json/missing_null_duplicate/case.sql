-- case: a missing field is NULL, of duplicate keys the last counts, unknown fields are skipped, names are case-sensitive
CREATE TABLE t (id INT, `Name` STRING, v INT, `a b` STRING, `x.y` INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
