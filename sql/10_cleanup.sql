-- Drops the pipeline's tables, the last one in the chain first. The Kafka topics and what is in them stay.

DROP TABLE IF EXISTS system_health_5min;
DROP TABLE IF EXISTS events_aggregated_5min;
DROP TABLE IF EXISTS cloudevents;
