-- case: a column named as its table
CREATE TABLE a (a ROW<a INT, b STRING>, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.a.a, a.a.b, a.b FROM a;
SELECT `a`.`b`, `a`.`a`.`a` FROM a;
SELECT x.a.a FROM a AS x;
