-- case: HAVING over changing counts: groups enter, leave and enter again
CREATE TABLE e (grp STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_g (grp STRING, n BIGINT, s INT, PRIMARY KEY (grp) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_g',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE TABLE out_p (grp STRING, n BIGINT, s INT) WITH ('connector' = 'print');
INSERT INTO out_g SELECT grp, COUNT(*), SUM(s) FROM (SELECT grp, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY grp, item HAVING SUM(v) <> 0) WHERE grp IS NOT NULL GROUP BY grp HAVING COUNT(*) >= 2 AND SUM(s) < 30;
INSERT INTO out_p SELECT grp, COUNT(*), SUM(s) FROM (SELECT grp, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY grp, item HAVING SUM(v) <> 0) GROUP BY grp HAVING MAX(s) > 5;
