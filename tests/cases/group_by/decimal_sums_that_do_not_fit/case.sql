-- case: SUM and AVG of DECIMAL beyond 38 digits
CREATE TABLE t (g STRING, d DECIMAL(38, 0), e DECIMAL(38, 10)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT g, SUM(d) AS a, SUM(e) AS b, AVG(d) AS c, AVG(e) AS f FROM t GROUP BY g;
