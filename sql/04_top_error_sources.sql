-- The ten sources with the most errors in each 5-minute window, the worst first; equal sources in the order of their names.
-- Sources without errors are left out. Over 02a the ranks of a window change as events come in.
-- Needs 02 (or 02a).

CREATE TABLE top_error_sources_5min (
  `window_start`       TIMESTAMP(3),
  `window_end`         TIMESTAMP(3),
  `error_rank`         BIGINT,
  `source`             STRING,
  `total_errors`       BIGINT,
  `critical_count`     BIGINT,
  `error_count`        BIGINT,
  `event_count`        BIGINT,
  `error_rate_percent` DOUBLE,
  PRIMARY KEY (`window_start`, `window_end`, `error_rank`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'top_error_sources_5min',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'top_error_sources_5min',
  'properties.isolation.level' = 'read_committed',
  'key.format' = 'json',
  'value.format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'top_error_sources_5min'
);

INSERT INTO top_error_sources_5min
SELECT
  `window_start`,
  `window_end`,
  `error_rank`,
  `source`,
  `total_errors`,
  `critical_count`,
  `error_count`,
  `event_count`,
  ROUND(100 * CAST(`total_errors` AS DOUBLE) / CAST(`event_count` AS DOUBLE), 2) AS `error_rate_percent`
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY `window_start`, `window_end`
      ORDER BY `total_errors` DESC, `source` ASC
    ) AS `error_rank`
  FROM (
    SELECT
      `window_start`,
      `window_end`,
      `source`,
      `critical_count` + `error_count` AS `total_errors`,
      `critical_count`,
      `error_count`,
      `event_count`
    FROM events_aggregated_5min
    WHERE `critical_count` + `error_count` > 0
  )
)
WHERE `error_rank` <= 10;
