-- case: DECIMAL compared with DOUBLE and FLOAT
CREATE TABLE t (id INT, d DOUBLE, f FLOAT, de DECIMAL(10, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, d < de AS a, de <= d AS b, d = de AS c, d <> de AS e, f > de AS g, d BETWEEN de AND 5 AS h, de BETWEEN f AND d AS i FROM t WHERE id < 5;
SELECT id FROM t WHERE d < de;
