-- case: the filters of views come before the condition of a join
CREATE TABLE t (id INT, kind STRING, val STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (id INT, lim DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW temps AS SELECT id, val FROM t WHERE kind = 'temp';
SELECT temps.id, u.lim FROM temps JOIN u ON temps.id = u.id AND CAST(temps.val AS DOUBLE) > u.lim;
SELECT temps.id, u.lim FROM temps JOIN u ON temps.id = u.id WHERE CAST(temps.val AS DOUBLE) > 8;
SELECT u.id, x.d FROM u LEFT JOIN (SELECT id, CAST(val AS DOUBLE) AS d FROM temps) AS x ON u.id = x.id;
