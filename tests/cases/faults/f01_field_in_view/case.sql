-- case: views and subqueries over fields of rows
CREATE TABLE t (id INT, r ROW<city STRING, zip INT, geo ROW<lat DOUBLE, lon DOUBLE>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW v AS SELECT id, r.city, r.geo.lat FROM t;
CREATE VIEW w AS SELECT city, lat * 2 AS twice FROM v WHERE city IS NOT NULL;
SELECT city, lat FROM v;
SELECT * FROM w;
SELECT s.city, s.zip FROM (SELECT r.city, r.zip FROM t WHERE r.zip > 5) AS s;
WITH c AS (SELECT r.geo FROM t) SELECT c.geo.lat, geo.lon FROM c;
