-- case: ROLLUP and GROUPING SETS over a changing table
CREATE TABLE e (grp STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT grp, s > 5 AS big, COUNT(*) AS n, SUM(s) AS s, GROUPING(grp) AS gg FROM (SELECT grp, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY grp, item HAVING SUM(v) <> 0) WHERE grp IS NOT NULL GROUP BY ROLLUP (grp, s > 5);
