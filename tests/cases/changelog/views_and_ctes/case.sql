-- case: views of views, CTEs and VALUES over changing tables
CREATE TABLE e (grp STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW items AS SELECT grp, item, SUM(v) AS s FROM e GROUP BY grp, item;
CREATE VIEW groups_ AS SELECT grp, COUNT(*) AS items, SUM(s) AS total FROM items WHERE s > 0 GROUP BY grp;
CREATE VIEW named (g, label) AS SELECT grp, CAST(items AS STRING) || '/' || CAST(total AS STRING) FROM groups_;
SELECT * FROM named;
WITH t AS (SELECT total, COUNT(*) AS n FROM groups_ GROUP BY total), u AS (SELECT MAX(total) AS mx FROM t) SELECT mx FROM u;
SELECT v.name, COUNT(*) AS n FROM (VALUES ('x', 1), ('y', 2), ('x', 3)) AS v (name, i) GROUP BY v.name;
