-- case: debezium-json: creates, snapshot reads, updates and deletes
-- source: filesystem
CREATE TABLE d (id INT, k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'd',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'debezium-json'
);
CREATE TABLE out_p (id INT, k STRING, v INT) WITH ('connector' = 'print');
INSERT INTO out_p SELECT * FROM d;
SELECT k, COUNT(*) AS n, SUM(v) AS s, MAX(v) AS mx FROM d GROUP BY k;
