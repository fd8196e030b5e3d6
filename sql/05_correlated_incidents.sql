-- Incidents: the events that share a correlation id, from however many sources; ids seen only once are left out.
-- Once per 5-minute window, written when the window closes, and once for the whole incident, updated with every event of it. An
-- incident is over after a day without events: then its state is given up, and a later event of its id begins another one.
-- Needs 01.

CREATE TABLE correlated_incidents_5min (
  `window_start`     TIMESTAMP(3),
  `window_end`       TIMESTAMP(3),
  `correlation_id`   STRING,
  `event_count`      BIGINT,
  `source_count`     BIGINT,
  `critical_count`   BIGINT,
  `error_count`      BIGINT,
  `first_event_time` TIMESTAMP(3),
  `last_event_time`  TIMESTAMP(3),
  `duration_seconds` BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'correlated_incidents_5min',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'correlated_incidents_5min',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'correlated_incidents_5min'
);

CREATE TABLE correlated_incidents (
  `correlation_id`   STRING,
  `event_count`      BIGINT,
  `source_count`     BIGINT,
  `critical_count`   BIGINT,
  `error_count`      BIGINT,
  `first_event_time` TIMESTAMP(3),
  `last_event_time`  TIMESTAMP(3),
  `duration_seconds` BIGINT,
  PRIMARY KEY (`correlation_id`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'correlated_incidents',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'correlated_incidents',
  'properties.isolation.level' = 'read_committed',
  'key.format' = 'json',
  'value.format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'correlated_incidents'
);

INSERT INTO correlated_incidents_5min
SELECT
  `window_start`,
  `window_end`,
  `correlation_id`,
  COUNT(*) AS `event_count`,
  COUNT(DISTINCT COALESCE(`source`, 'unknown')) AS `source_count`,
  COUNT(*) FILTER (WHERE `severity` = 'critical') AS `critical_count`,
  COUNT(*) FILTER (WHERE `severity` = 'error') AS `error_count`,
  CAST(MIN(`time`) AS TIMESTAMP(3)) AS `first_event_time`,
  CAST(MAX(`time`) AS TIMESTAMP(3)) AS `last_event_time`,
  TIMESTAMPDIFF(SECOND, MIN(`time`), MAX(`time`)) AS `duration_seconds`
FROM TABLE(
  TUMBLE(TABLE cloudevents, DESCRIPTOR(`time`), INTERVAL '5' MINUTES)
)
WHERE `correlation_id` IS NOT NULL
GROUP BY `window_start`, `window_end`, `correlation_id`
HAVING COUNT(*) >= 2;

SET 'table.exec.state.ttl' = '1 d';

INSERT INTO correlated_incidents
SELECT
  `correlation_id`,
  COUNT(*) AS `event_count`,
  COUNT(DISTINCT COALESCE(`source`, 'unknown')) AS `source_count`,
  COUNT(*) FILTER (WHERE `severity` = 'critical') AS `critical_count`,
  COUNT(*) FILTER (WHERE `severity` = 'error') AS `error_count`,
  CAST(MIN(`time`) AS TIMESTAMP(3)) AS `first_event_time`,
  CAST(MAX(`time`) AS TIMESTAMP(3)) AS `last_event_time`,
  TIMESTAMPDIFF(SECOND, MIN(`time`), MAX(`time`)) AS `duration_seconds`
FROM cloudevents
WHERE `correlation_id` IS NOT NULL
GROUP BY `correlation_id`
HAVING COUNT(*) >= 2;

RESET 'table.exec.state.ttl';
