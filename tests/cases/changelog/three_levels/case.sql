-- case: three aggregates, one over the other
CREATE TABLE e (grp STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT total, COUNT(*) AS groups_ FROM (SELECT grp, SUM(s) AS total FROM (SELECT grp, item, SUM(v) AS s FROM e GROUP BY grp, item) GROUP BY grp) GROUP BY total;
SELECT MAX(c) AS most FROM (SELECT total, COUNT(*) AS c FROM (SELECT grp, COUNT(*) AS total FROM (SELECT grp, item, SUM(v) AS s FROM e GROUP BY grp, item HAVING SUM(v) > 0) GROUP BY grp) GROUP BY total);
