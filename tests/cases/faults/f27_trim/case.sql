-- case: TRIM with and without what it trims
-- not yet: expected an expression
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, TRIM(s) AS a, TRIM(BOTH FROM s) AS b, TRIM(LEADING 'x' FROM s) AS c, TRIM(BOTH 'x' FROM s) AS d, TRIM(TRAILING FROM s) AS e FROM t;
