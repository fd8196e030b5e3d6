-- case: COUNT, SUM and AVG of DISTINCT over a table whose rows change; FILTER beside it
CREATE TABLE e (grp STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_g (grp STRING, ds BIGINT, dsum INT, big BIGINT, n BIGINT, PRIMARY KEY (grp) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_g',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_g SELECT grp, COUNT(DISTINCT s), SUM(DISTINCT s), COUNT(DISTINCT s) FILTER (WHERE s > 4), COUNT(*) FROM (SELECT grp, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY grp, item HAVING SUM(v) <> 0) WHERE grp IS NOT NULL GROUP BY grp;
SELECT COUNT(DISTINCT n) AS dn, SUM(DISTINCT n) AS sn, AVG(DISTINCT n) AS an, COUNT(DISTINCT grp) AS gs FROM (SELECT grp, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY grp, item HAVING SUM(v) <> 0);
