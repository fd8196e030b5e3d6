SELECT `customer`, `id`, `place`
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY `customer` ORDER BY `amount` DESC) AS `place`
  FROM orders
)
WHERE `place` <= 3;

SELECT `customer`, SUM(`amount`) AS `total` FROM orders GROUP BY `customer` ORDER BY `total` DESC LIMIT 5;
