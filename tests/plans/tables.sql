-- What the plans beside it read and write.

CREATE TABLE orders (
  `id`       BIGINT,
  `customer` STRING,
  `amount`   DECIMAL(10, 2),
  `ts`       TIMESTAMP(3),
  `arrival`  AS PROCTIME(),
  WATERMARK FOR `ts` AS `ts` - INTERVAL '5' SECOND
) WITH ('connector' = 'datagen');

CREATE TABLE payments (
  `order_id` BIGINT,
  `paid`     DECIMAL(10, 2),
  `paid_at`  TIMESTAMP(3),
  WATERMARK FOR `paid_at` AS `paid_at`
) WITH ('connector' = 'datagen');

CREATE TABLE customers (
  `name`    STRING,
  `country` STRING,
  PRIMARY KEY (`name`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka', 'topic' = 'customers', 'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json', 'value.format' = 'json'
);

CREATE TABLE totals (
  `name`  STRING,
  `total` DECIMAL(38, 2),
  PRIMARY KEY (`name`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka', 'topic' = 'totals', 'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json', 'value.format' = 'json'
);
