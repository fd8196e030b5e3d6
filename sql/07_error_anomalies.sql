-- Windows in which a source has far more errors than it had in the twelve windows before (fewer at the start). Its baseline is
-- the mean and the sample standard deviation of those counts of errors; windows without any event of the source are not counted.
-- z_score: how many deviations the count is above the mean; NULL without a baseline or where the deviation is 0.
-- ANOMALY: z_score of 3 or more, or any count above a baseline without deviation; NORMAL: every other;
-- NO_BASELINE: fewer than three windows before this one.
-- Needs 02: it reads in the order of event time, which 02a's table, updated in place, does not have.

CREATE TABLE error_anomalies (
  `window_start`     TIMESTAMP(3),
  `window_end`       TIMESTAMP(3),
  `source`           STRING,
  `total_errors`     BIGINT,
  `baseline_windows` BIGINT,
  `baseline_mean`    DOUBLE,
  `baseline_stddev`  DOUBLE,
  `z_score`          DOUBLE,
  `label`            STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'error_anomalies',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'error_anomalies',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'error_anomalies'
);

INSERT INTO error_anomalies
SELECT
  `window_start`,
  `window_end`,
  `source`,
  CAST(`errors` AS BIGINT) AS `total_errors`,
  `windows` AS `baseline_windows`,
  ROUND(`mean`, 4) AS `baseline_mean`,
  ROUND(`deviation`, 4) AS `baseline_stddev`,
  `z_score`,
  CASE
    WHEN `windows` < 3 THEN 'NO_BASELINE'
    WHEN `z_score` >= 3 THEN 'ANOMALY'
    WHEN `z_score` IS NULL AND `errors` > `mean` THEN 'ANOMALY'
    ELSE 'NORMAL'
  END AS `label`
FROM (
  SELECT
    *,
    CASE WHEN `windows` >= 3 AND `deviation` > 0 THEN ROUND((`errors` - `mean`) / `deviation`, 2) END AS `z_score`
  FROM (
    -- what the row before says of itself and the eleven before it
    SELECT
      `window_start`,
      `window_end`,
      `source`,
      `errors`,
      COALESCE(LAG(`trailing_windows`) OVER `windows_before`, 0) AS `windows`,
      LAG(`trailing_mean`) OVER `windows_before` AS `mean`,
      LAG(`trailing_deviation`) OVER `windows_before` AS `deviation`
    FROM (
      SELECT
        *,
        COUNT(*) OVER `trailing` AS `trailing_windows`,
        AVG(`errors`) OVER `trailing` AS `trailing_mean`,
        STDDEV_SAMP(`errors`) OVER `trailing` AS `trailing_deviation`
      FROM (
        SELECT
          `window_start`,
          `window_end`,
          `source`,
          CAST(`critical_count` + `error_count` AS DOUBLE) AS `errors`
        FROM events_aggregated_5min
      )
      WINDOW `trailing` AS (PARTITION BY `source` ORDER BY `window_start` ROWS BETWEEN 11 PRECEDING AND CURRENT ROW)
    )
    WINDOW `windows_before` AS (PARTITION BY `source` ORDER BY `window_start`)
  )
);
