SELECT
  `id`,
  COUNT(*) OVER w AS `orders`,
  AVG(`amount`) OVER w AS `average`
FROM orders
WINDOW w AS (PARTITION BY `customer` ORDER BY `ts` RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW);

SELECT `id`, `amount` - LAG(`amount`) OVER (PARTITION BY `customer` ORDER BY `arrival`) AS `more` FROM orders;
