-- The same table as 02, for low volumes: buckets by arithmetic on `time` instead of a window that waits for the watermark.
-- A row appears with the first event of its bucket and is updated in place by every further one, however late.
-- Needs 01. Run either this file or 02.

CREATE TABLE events_aggregated_5min (
  `window_start`   TIMESTAMP(3),
  `window_end`     TIMESTAMP(3),
  `source`         STRING,
  `event_count`    BIGINT,
  `critical_count` BIGINT,
  `error_count`    BIGINT,
  `warning_count`  BIGINT,
  `info_count`     BIGINT,
  WATERMARK FOR `window_start` AS `window_start` - INTERVAL '1' SECOND,
  PRIMARY KEY (`window_start`, `source`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'events_aggregated_5min',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'events_aggregated_5min',
  'properties.isolation.level' = 'read_committed',
  'key.format' = 'json',
  'value.format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'events_aggregated_5min'
);

INSERT INTO events_aggregated_5min
SELECT
  `window_start`,
  MAX(`window_start` + INTERVAL '5' MINUTES) AS `window_end`,
  `source`,
  COUNT(*) AS `event_count`,
  COUNT(*) FILTER (WHERE `severity` = 'critical') AS `critical_count`,
  COUNT(*) FILTER (WHERE `severity` = 'error') AS `error_count`,
  COUNT(*) FILTER (WHERE `severity` = 'warning') AS `warning_count`,
  COUNT(*) FILTER (WHERE `severity` = 'info') AS `info_count`
FROM (
  SELECT
    -- the start of the minute, less the minutes since the last multiple of five
    TIMESTAMPADD(
      MINUTE,
      -CAST(EXTRACT(MINUTE FROM CAST(`time` AS TIMESTAMP(3))) % 5 AS INT),
      FLOOR(CAST(`time` AS TIMESTAMP(3)) TO MINUTE)
    ) AS `window_start`,
    COALESCE(`source`, 'unknown') AS `source`,
    `severity`
  FROM cloudevents
)
GROUP BY `window_start`, `source`;
