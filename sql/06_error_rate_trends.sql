-- How the error rate of each source moved from one 5-minute window to the next, in percentage points.
-- SPIKE: 10 points up or more; IMPROVING: 10 points down or more; STABLE: between.
-- NO_BASELINE: the source's first window, or none of its events in the window directly before; then nothing is compared.
-- Needs 02: it reads in the order of event time, which 02a's table, updated in place, does not have.

CREATE TABLE error_rate_trends (
  `window_start`                TIMESTAMP(3),
  `window_end`                  TIMESTAMP(3),
  `source`                      STRING,
  `event_count`                 BIGINT,
  `total_errors`                BIGINT,
  `error_rate_percent`          DOUBLE,
  `previous_error_rate_percent` DOUBLE,
  `change_percent_points`       DOUBLE,
  `trend`                       STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'error_rate_trends',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'error_rate_trends',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'error_rate_trends'
);

INSERT INTO error_rate_trends
SELECT
  `window_start`,
  `window_end`,
  `source`,
  `event_count`,
  `total_errors`,
  `error_rate_percent`,
  `previous_error_rate_percent`,
  `change_percent_points`,
  CASE
    WHEN `change_percent_points` IS NULL THEN 'NO_BASELINE'
    WHEN `change_percent_points` >= 10 THEN 'SPIKE'
    WHEN `change_percent_points` <= -10 THEN 'IMPROVING'
    ELSE 'STABLE'
  END AS `trend`
FROM (
  SELECT
    *,
    ROUND(`error_rate_percent` - `previous_error_rate_percent`, 2) AS `change_percent_points`
  FROM (
    SELECT
      `window_start`,
      `window_end`,
      `source`,
      `event_count`,
      `total_errors`,
      `error_rate_percent`,
      CASE WHEN `last_window_end` = `window_start` THEN `last_error_rate_percent` END AS `previous_error_rate_percent`
    FROM (
      SELECT
        *,
        LAG(`window_end`) OVER `windows_before` AS `last_window_end`,
        LAG(`error_rate_percent`) OVER `windows_before` AS `last_error_rate_percent`
      FROM (
        SELECT
          `window_start`,
          `window_end`,
          `source`,
          `event_count`,
          `critical_count` + `error_count` AS `total_errors`,
          ROUND(100 * CAST(`critical_count` + `error_count` AS DOUBLE) / CAST(`event_count` AS DOUBLE), 2) AS `error_rate_percent`
        FROM events_aggregated_5min
      )
      WINDOW `windows_before` AS (PARTITION BY `source` ORDER BY `window_start`)
    )
  )
);
