-- Every kind of expression that is not written as it is computed.
CREATE TABLE readings (
  `id`     BIGINT,
  `word`   STRING,
  `price`  DECIMAL(10, 2),
  `ratio`  DOUBLE,
  `place`  ROW<`x` INT, `y` INT>,
  `ts`     TIMESTAMP(3),
  `offset` BIGINT METADATA VIRTUAL,
  `twice`  AS `id` * 2
) WITH (
  'connector' = 'kafka', 'topic' = 'readings', 'properties.bootstrap.servers' = 'localhost:9092', 'format' = 'json'
);

SELECT
  UPPER(`word`) || 'it''s' AS `text`,
  `price` / 3 AS `third`,
  -(`id` + 1) * (2 - (3 - `id`)) AS `sums`,
  `id` % 2 AS `rest`,
  `ratio` > 0.5 AND (`id` = 1 OR `id` = 2) AS `both`,
  NOT `word` LIKE 'a%' AS `unlike`,
  `word` IN ('a', 'b') AS `listed`,
  `id` NOT IN (1, 2) AS `unlisted`,
  `id` BETWEEN 3 AND 5 AS `between`,
  `id` IS DISTINCT FROM 3 AS `distinct`,
  (`id` > 3) IS NOT TRUE AS `untrue`,
  CAST(`id` AS VARCHAR(3)) AS `short`,
  TRY_CAST(`word` AS INT) AS `tried`,
  COALESCE(`word`, 'none') AS `coalesced`,
  NULLIF(`id`, 3) AS `nulled`,
  CASE `id` WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'a long text, with a comma (and a bracket' END AS `case`,
  `place`.`x` AS `field`,
  ARRAY[1, 2][1] AS `element`,
  ROW(`id`, `word`) AS `row`,
  MAP['a', `id`] AS `map`,
  TIMESTAMPADD(DAY, 1, `ts`) AS `added`,
  TIMESTAMPDIFF(MINUTE, `ts`, TIMESTAMP '2024-01-01 00:00:00.5') AS `minutes`,
  FLOOR(`ts` TO HOUR) AS `hour`,
  EXTRACT(HOUR FROM `ts`) AS `hours`,
  `ts` - INTERVAL '90' SECOND AS `earlier`,
  `ts` + INTERVAL '1' YEAR AS `later`,
  DATE '2024-01-01' AS `date`,
  TIME '10:30:00' AS `time`,
  X'ab' AS `bytes`,
  `price` = 1.50 AS `exact`,
  TRIM(LEADING 'a' FROM `word`) AS `trimmed`,
  POSITION('a' IN `word`) AS `position`,
  JSON_VALUE(`word`, '$.a') AS `json`,
  `offset`,
  `twice`
FROM readings;
