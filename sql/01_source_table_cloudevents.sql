-- The source: CloudEvents as JSON in the Kafka topic 'cloudevents', one table row an event.
-- `time` is the event time (RFC 3339, UTC). Events may come up to 10 seconds out of order.

SET 'table.local-time-zone' = 'UTC';
-- Tables are written exactly once: their rows become visible with each checkpoint.
SET 'execution.checkpointing.interval' = '10 s';

CREATE TABLE cloudevents (
  `id`             STRING,
  `specversion`    STRING,
  `type`           STRING,
  `source`         STRING,
  `time`           TIMESTAMP_LTZ(3),
  `severity`       STRING,
  `category`       STRING,
  `correlation_id` STRING,
  `subject`        STRING,
  `data`           STRING,
  WATERMARK FOR `time` AS `time` - INTERVAL '10' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'cloudevents',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'cloudevents',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601'
);
