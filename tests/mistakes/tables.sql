CREATE TABLE orders (id INT, customer STRING, price DOUBLE, ts TIMESTAMP(3), d DATE, tags ARRAY<STRING>, place ROW<city STRING, zip INT>,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'filesystem', 'path' = '/tmp/orders', 'format' = 'json');
CREATE TABLE customers (id INT, name STRING, since TIMESTAMP(3)) WITH ('connector' = 'filesystem', 'path' = '/tmp/customers', 'format' = 'json');
CREATE TABLE totals (customer STRING, total DOUBLE, PRIMARY KEY (customer) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 'totals',
  'properties.bootstrap.servers' = 'localhost:9092', 'key.format' = 'json', 'value.format' = 'json');
CREATE TABLE log (id INT, text STRING) WITH ('connector' = 'print');
