-- Drops the pipeline's tables, the last one in the chain first. The Kafka topics and what is in them stay.

DROP TABLE IF EXISTS gemini_summary;
DROP TABLE IF EXISTS error_anomalies;
DROP TABLE IF EXISTS error_rate_trends;
DROP TABLE IF EXISTS correlated_incidents;
DROP TABLE IF EXISTS correlated_incidents_5min;
DROP TABLE IF EXISTS top_error_sources_5min;
DROP TABLE IF EXISTS system_health_5min;
DROP TABLE IF EXISTS events_aggregated_5min;
DROP TABLE IF EXISTS cloudevents;
