-- case: division and remainder of whole numbers at their limits, ABS and minus of the smallest
CREATE TABLE t (id INT, t TINYINT, s SMALLINT, i INT, l BIGINT, dt TINYINT, ds SMALLINT, di INT, dl BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, t / dt AS a, s / ds AS b, i / di AS c, l / dl AS d, t % dt AS e, s % ds AS f, i % di AS g, l % dl AS h, MOD(i, di) AS m FROM t;
SELECT id, l % di AS a, i % dl AS b, t % dl AS c, l % dt AS d, t / dl AS e, l / dt AS f FROM t;
SELECT id, -t AS a, -s AS b, -i AS c, -l AS d, ABS(t) AS e, ABS(s) AS f, ABS(i) AS g, ABS(l) AS h FROM t;
