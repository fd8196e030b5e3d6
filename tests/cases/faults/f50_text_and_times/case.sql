-- case: IN lists of text, dates and times
CREATE TABLE t (id INT, s STRING, c CHAR(3), v VARCHAR(5), d DATE, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s IN ('abc', 'x') AS a, v IN (s, 'q') AS b, d IN (DATE '2025-01-01', DATE '2025-01-03') AS e, ts IN (TIMESTAMP '2025-01-02 10:00:00.5', TIMESTAMP '2025-01-01 00:00:00') AS f FROM t;
SELECT id, s IN (c) AS a, c = 'abc' AS b, c IN ('ab', 'abc') AS d FROM t;
