-- case: filters of views over views come in their order
CREATE TABLE t (kind STRING, val STRING, den INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW numbers AS SELECT CAST(val AS INT) AS v, den FROM t WHERE kind = 'n';
CREATE VIEW dividable AS SELECT v, den FROM numbers WHERE den <> 0;
CREATE VIEW big AS SELECT v, v / den AS q FROM dividable WHERE v / den > 4;
SELECT * FROM big WHERE q < 30 AND v > 1;
SELECT v FROM dividable WHERE v / den = 23;
