-- case: FILTER over a table whose rows change: a row enters and leaves a count
CREATE TABLE e (grp STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT grp, COUNT(*) FILTER (WHERE s > 5) AS big, SUM(s) FILTER (WHERE item <> 'a') AS others, MAX(s) FILTER (WHERE n > 1) AS mx, MIN(item) FILTER (WHERE s < 5) AS small FROM (SELECT grp, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY grp, item) GROUP BY grp;
