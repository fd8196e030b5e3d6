-- case: the literals of a VALUES list are INT, CHAR and DECIMAL, and fit columns of those types
CREATE TABLE out_t (i INT, s STRING, d DECIMAL(5, 2), b BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_t VALUES (1, 'x', 1.5, 3000000000), (2, '', 2.25, 4);
INSERT INTO out_t SELECT 3, 'y', 0.5, 5;
