-- case: computed columns of arrays, rows and maps
CREATE TABLE t (id INT, items ARRAY<ROW<name STRING, price DOUBLE>>, m MAP<STRING, INT>, r ROW<a INT, b ROW<c STRING>>, first_price AS items[1].price, n AS CARDINALITY(items), x AS m['x'], c AS r.b.c, pair AS ROW(id, r.a), two AS ARRAY[id, id + 1], kv AS MAP['id', id]) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, first_price, n, x, c, pair, two, kv FROM t;
SELECT c, SUM(first_price) AS s FROM t GROUP BY c;
