-- One row per 5-minute window with all that a reader (or a language model such as Gemini) needs to describe it.
-- Windows without errors or incidents have their row too: with no top source, and zeroes.
-- correlation_count: the window's incidents that touched at least two sources.
-- Needs 03, 04 and 05.

CREATE TABLE gemini_summary (
  `window_start`       TIMESTAMP(3),
  `window_end`         TIMESTAMP(3),
  `health_status`      STRING,
  `total_events`       BIGINT,
  `source_count`       BIGINT,
  `critical_count`     BIGINT,
  `error_count`        BIGINT,
  `warning_count`      BIGINT,
  `error_rate_percent` DOUBLE,
  `top_error_source`   STRING,
  `top_error_count`    BIGINT,
  `correlation_count`  BIGINT,
  PRIMARY KEY (`window_start`, `window_end`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'gemini_summary',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'gemini_summary',
  'properties.isolation.level' = 'read_committed',
  'key.format' = 'json',
  'value.format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'gemini_summary'
);

INSERT INTO gemini_summary
SELECT
  h.`window_start`,
  h.`window_end`,
  h.`health_status`,
  h.`total_events`,
  h.`source_count`,
  h.`critical_count`,
  h.`error_count`,
  h.`warning_count`,
  h.`error_rate_percent`,
  t.`top_error_source`,
  COALESCE(t.`top_error_count`, 0) AS `top_error_count`,
  COALESCE(c.`correlation_count`, 0) AS `correlation_count`
FROM system_health_5min AS h
LEFT JOIN (
  -- one row a window anyway; grouped so that it is known to be one
  SELECT
    `window_start`,
    `window_end`,
    MAX(`source`) AS `top_error_source`,
    MAX(`total_errors`) AS `top_error_count`
  FROM top_error_sources_5min
  WHERE `error_rank` = 1
  GROUP BY `window_start`, `window_end`
) AS t
ON h.`window_start` = t.`window_start` AND h.`window_end` = t.`window_end`
LEFT JOIN (
  SELECT
    `window_start`,
    `window_end`,
    COUNT(*) AS `correlation_count`
  FROM correlated_incidents_5min
  WHERE `source_count` >= 2
  GROUP BY `window_start`, `window_end`
) AS c
ON h.`window_start` = c.`window_start` AND h.`window_end` = c.`window_end`;
