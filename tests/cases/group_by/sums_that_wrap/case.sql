-- case: SUM and AVG of whole numbers beyond their type
CREATE TABLE t (id INT, ts TIMESTAMP(3), g INT, t TINYINT, s SMALLINT, i INT, l BIGINT, WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT g, SUM(t) AS a, SUM(s) AS b, SUM(i) AS c, SUM(l) AS d, AVG(t) AS e, AVG(s) AS f, AVG(i) AS h, AVG(l) AS k FROM t GROUP BY g;
SELECT g, SUM(DISTINCT t) AS a, SUM(DISTINCT l) AS d, AVG(DISTINCT t) AS e, AVG(DISTINCT l) AS k FROM t GROUP BY g;
SELECT window_start, SUM(t) AS a, SUM(s) AS b, SUM(i) AS c, SUM(l) AS d, AVG(t) AS e, AVG(l) AS k FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
SELECT id, SUM(t) OVER w AS a, SUM(s) OVER w AS b, SUM(i) OVER w AS c, SUM(l) OVER w AS d, AVG(t) OVER w AS e, AVG(s) OVER w AS f, AVG(i) OVER w AS h, AVG(l) OVER w AS k FROM t WINDOW w AS (ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW);
SELECT SUM(a) AS a, SUM(c) AS c, SUM(d) AS d, AVG(d) AS ed FROM (SELECT g, MAX(t) AS a, MAX(i) AS c, MAX(l) AS d FROM t GROUP BY g);
