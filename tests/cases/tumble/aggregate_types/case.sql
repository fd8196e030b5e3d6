-- case: the types of aggregates: AVG(INT) truncates, AVG(DECIMAL(10,2)) has scale 6, MIN and MAX of text, dates and booleans
CREATE TABLE e (i INT, l BIGINT, s SMALLINT, d DOUBLE, de DECIMAL(10, 2), t STRING, dt DATE, b BOOLEAN, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT AVG(i) AS ai, AVG(l) AS al, AVG(s) AS `as`, AVG(d) AS ad, CAST(AVG(de) AS STRING) AS ade, SUM(i) AS si, SUM(l) AS sl, SUM(s) AS ss, SUM(d) AS sd, CAST(SUM(de) AS STRING) AS sde
FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
SELECT MIN(t) AS mnt, MAX(t) AS mxt, MIN(dt) AS mnd, MAX(dt) AS mxd, MIN(ts) AS mns, MAX(ts) AS mxs, MIN(de) AS mnde, MAX(d) AS mxd2, MAX(b) AS mxb, MIN(b) AS mnb, COUNT(t) AS n
FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
