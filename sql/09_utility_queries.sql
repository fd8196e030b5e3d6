-- Queries to check and watch the pipeline; nothing here writes. Needs the tables of 01 to 05 and 08.
-- Each is answered over what the tables hold now; Flink in streaming mode keeps updating the answer instead.

-- How many rows has each table?
SELECT 'cloudevents' AS `table_name`, COUNT(*) AS `row_count` FROM cloudevents
UNION ALL
SELECT 'events_aggregated_5min', COUNT(*) FROM events_aggregated_5min
UNION ALL
SELECT 'system_health_5min', COUNT(*) FROM system_health_5min
UNION ALL
SELECT 'top_error_sources_5min', COUNT(*) FROM top_error_sources_5min
UNION ALL
SELECT 'correlated_incidents_5min', COUNT(*) FROM correlated_incidents_5min
UNION ALL
SELECT 'correlated_incidents', COUNT(*) FROM correlated_incidents
UNION ALL
SELECT 'gemini_summary', COUNT(*) FROM gemini_summary;

-- The latest health.
SELECT *
FROM system_health_5min
ORDER BY `window_start` DESC
LIMIT 1;

-- The latest summary, to be put into words.
SELECT
  `window_start`,
  `window_end`,
  `health_status`,
  `total_events`,
  `error_rate_percent`,
  `critical_count`,
  `top_error_source`,
  `top_error_count`,
  `correlation_count`
FROM gemini_summary
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

-- The five sources that led a window's errors most often.
SELECT
  `source`,
  COUNT(*) AS `windows_led`,
  SUM(`total_errors`) AS `total_errors`
FROM top_error_sources_5min
WHERE `error_rank` = 1
GROUP BY `source`
ORDER BY `windows_led` DESC, `source`
LIMIT 5;

-- Incidents across systems, those with the most events first.
SELECT `correlation_id`, `event_count`, `source_count`, `duration_seconds`
FROM correlated_incidents
WHERE `source_count` >= 2
ORDER BY `event_count` DESC, `correlation_id`
LIMIT 10;

-- Which kinds of event does each source send?
SELECT `source`, `type`, COUNT(*) AS `events`
FROM cloudevents
GROUP BY `source`, `type`;

-- Ten events to look at.
SELECT `id`, `source`, `type`, `time`, `severity`, `subject`
FROM cloudevents
LIMIT 10;
