-- case: SPLIT_INDEX, STR_TO_MAP, SPLIT, SUBSTRING_INDEX
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, SPLIT_INDEX(s, ',', 0) AS i0, SPLIT_INDEX(s, ',', 2) AS i2, SPLIT_INDEX(s, ',', 9) AS i9, SPLIT_INDEX(s, ',', -1) AS im, SPLIT_INDEX(s, 'oo', 1) AS oo, STR_TO_MAP(s, ';', '=') AS m, SPLIT(s, ',') AS sp FROM t;
