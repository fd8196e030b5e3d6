-- Queries to check and watch the pipeline; nothing here writes. Needs the tables of 01, 02 (or 02a) and 03.
-- Each is answered over what the tables hold now; Flink in streaming mode keeps updating the answer instead.

-- How many rows has each table?
SELECT 'cloudevents' AS `table_name`, COUNT(*) AS `row_count` FROM cloudevents
UNION ALL
SELECT 'events_aggregated_5min', COUNT(*) FROM events_aggregated_5min
UNION ALL
SELECT 'system_health_5min', COUNT(*) FROM system_health_5min;

-- The latest health.
SELECT *
FROM system_health_5min
ORDER BY `window_start` DESC
LIMIT 1;

-- The latest windows in which something critical happened.
SELECT `window_start`, `total_events`, `critical_count`, `error_rate_percent`
FROM system_health_5min
WHERE `health_status` = 'CRITICAL'
ORDER BY `window_start` DESC
LIMIT 10;

-- How often was the system in each state?
SELECT `health_status`, COUNT(*) AS `windows`
FROM system_health_5min
GROUP BY `health_status`;

-- The five sources with the most errors.
SELECT
  `source`,
  SUM(`critical_count` + `error_count`) AS `total_errors`,
  SUM(`event_count`) AS `total_events`
FROM events_aggregated_5min
GROUP BY `source`
ORDER BY `total_errors` DESC, `source`
LIMIT 5;

-- Which kinds of event does each source send?
SELECT `source`, `type`, COUNT(*) AS `events`
FROM cloudevents
GROUP BY `source`, `type`;

-- Ten events to look at.
SELECT `id`, `source`, `type`, `time`, `severity`, `subject`
FROM cloudevents
LIMIT 10;
