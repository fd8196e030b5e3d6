-- case: COUNT, SUM, AVG, MIN and MAX over a table whose rows change and vanish; an emptied group is deleted and may come back
CREATE TABLE e (grp STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_g (grp STRING, n BIGINT, ns BIGINT, s INT, av INT, mn INT, mx INT, PRIMARY KEY (grp) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_g',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_g SELECT grp, COUNT(*), COUNT(s), SUM(s), AVG(s), MIN(s), MAX(s) FROM (SELECT grp, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY grp, item HAVING SUM(v) <> 0) WHERE grp IS NOT NULL GROUP BY grp;
SELECT COUNT(*) AS n, SUM(s) AS s, AVG(s) AS av, MIN(s) AS mn, MAX(s) AS mx FROM (SELECT grp, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY grp, item HAVING SUM(v) <> 0);
