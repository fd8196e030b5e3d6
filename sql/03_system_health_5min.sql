-- The health of the whole system per 5-minute window, over all sources of 02 (or 02a).
-- A window's row is updated as rows of its sources come in, so it is there at once and right at the end.
-- CRITICAL: any critical event; DEGRADED: more than 10 % errors; WARNING: any error; else HEALTHY.

CREATE TABLE system_health_5min (
  `window_start`       TIMESTAMP(3),
  `window_end`         TIMESTAMP(3),
  `total_events`       BIGINT,
  `source_count`       BIGINT,
  `critical_count`     BIGINT,
  `error_count`        BIGINT,
  `warning_count`      BIGINT,
  `error_rate_percent` DOUBLE,
  `health_status`      STRING,
  PRIMARY KEY (`window_start`, `window_end`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'system_health_5min',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'system_health_5min',
  'properties.isolation.level' = 'read_committed',
  'key.format' = 'json',
  'value.format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'system_health_5min'
);

INSERT INTO system_health_5min
SELECT
  `window_start`,
  `window_end`,
  `total_events`,
  `source_count`,
  `critical_count`,
  `error_count`,
  `warning_count`,
  ROUND(100 * `error_rate`, 2) AS `error_rate_percent`,
  CASE
    WHEN `critical_count` > 0 THEN 'CRITICAL'
    WHEN `error_rate` > CAST(0.1 AS DOUBLE) THEN 'DEGRADED'
    WHEN `error_count` > 0 THEN 'WARNING'
    ELSE 'HEALTHY'
  END AS `health_status`
FROM (
  SELECT
    `window_start`,
    `window_end`,
    SUM(`event_count`) AS `total_events`,
    COUNT(*) AS `source_count`,
    SUM(`critical_count`) AS `critical_count`,
    SUM(`error_count`) AS `error_count`,
    SUM(`warning_count`) AS `warning_count`,
    CAST(SUM(`critical_count` + `error_count`) AS DOUBLE) / CAST(SUM(`event_count`) AS DOUBLE) AS `error_rate`
  FROM events_aggregated_5min
  GROUP BY `window_start`, `window_end`
);
