-- case: IS NOT DISTINCT FROM joins NULL to NULL; IS NULL beside =
CREATE TABLE a (id INT, k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (k STRING, n INT, t STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.id, b.t FROM a JOIN b ON a.k IS NOT DISTINCT FROM b.k;
SELECT a.id, b.t FROM a LEFT JOIN b ON a.k IS NOT DISTINCT FROM b.k AND b.n > 2;
SELECT a.id, b.n FROM a JOIN b ON a.k = b.k OR (a.k IS NULL AND b.k IS NULL);
SELECT a.id FROM a LEFT JOIN b ON a.k = b.k WHERE b.k IS NULL;
