-- case: HAVING over an aggregate of nothing
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT COUNT(*) AS n FROM t WHERE FALSE HAVING COUNT(*) = 0;
SELECT COUNT(*) AS n FROM t WHERE FALSE HAVING COUNT(*) > 0;
SELECT MAX(id) AS m FROM t HAVING COUNT(*) > 1;
SELECT g, COUNT(*) AS n FROM t WHERE FALSE GROUP BY g HAVING COUNT(*) = 0;
