-- case: timestamp, date and interval arithmetic; the end of a month is kept within the month
CREATE TABLE t (id INT, ts TIMESTAMP(3), d DATE, n INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, ts + INTERVAL '10' SECOND AS s, ts - INTERVAL '1' DAY AS dy, ts + INTERVAL '1' MONTH AS mo, ts - INTERVAL '1' YEAR AS y, ts + INTERVAL '1 02:03:04' DAY TO SECOND AS ds, ts + INTERVAL '01:30' HOUR TO MINUTE AS hm, ts + INTERVAL '0.5' SECOND AS ms, ts + INTERVAL '1-2' YEAR TO MONTH AS ym FROM t;
SELECT id, d + INTERVAL '1' DAY AS d1, d + INTERVAL '1' MONTH AS m1, d - INTERVAL '2' YEAR AS y2, TIMESTAMPADD(HOUR, n, ts) AS th, TIMESTAMPADD(DAY, -n, ts) AS td FROM t;
SELECT id, ts > TIMESTAMP '2025-01-01 00:00:00' AS gt, ts BETWEEN TIMESTAMP '2024-02-29 00:00:00' AND TIMESTAMP '2025-01-31 23:59:59.999' AS bt, d = DATE '2025-01-31' AS de, CAST(d AS TIMESTAMP(3)) < ts AS dl, TIMESTAMP '2025-01-15 10:30:00.12' AS lit, DATE '2025-01-15' AS dlit, TIME '10:30:00' AS tlit, ts = '2025-01-31 12:00:00' AS eqs FROM t;
