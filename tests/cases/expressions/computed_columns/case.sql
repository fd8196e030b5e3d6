-- case: computed columns in the table, used by a later one's watermark and by SELECT *; they are no part of the JSON
CREATE TABLE t (
  a INT,
  twice AS a * 2,
  s STRING,
  label AS UPPER(s) || '-' || CAST(a AS STRING),
  `when` BIGINT,
  ts AS TO_TIMESTAMP_LTZ(`when`, 3),
  big AS CASE WHEN a > 10 THEN TRUE ELSE FALSE END
) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
SELECT label, twice + 1 AS n FROM t WHERE NOT big;
