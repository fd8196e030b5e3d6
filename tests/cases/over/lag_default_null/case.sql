-- case: LAG with a default where the row before is there and holds NULL
-- differs: Flink takes the column for NOT NULL then and gives -1 and ''; flowline gives NULL: the default is for rows that are not there
CREATE TABLE e (k STRING, v INT, s STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, s, LAG(v, 1, -100) OVER (PARTITION BY k ORDER BY ts) AS l, LAG(s, 1, 'none') OVER (PARTITION BY k ORDER BY ts) AS t FROM e;
