-- The tables that all queries of this folder read. t3 has event time, in order.
CREATE TABLE t1 (id INT, g STRING, a INT, b BIGINT, s STRING, de DECIMAL(10, 2))
  WITH ('connector' = 'filesystem', 'path' = 'rows/t1.jsonl', 'format' = 'json');
CREATE TABLE t2 (id INT, g STRING, a INT, b BIGINT, f BOOLEAN)
  WITH ('connector' = 'filesystem', 'path' = 'rows/t2.jsonl', 'format' = 'json');
CREATE TABLE t3 (id INT, g STRING, a INT, d DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'path' = 'rows/t3.jsonl', 'format' = 'json');
