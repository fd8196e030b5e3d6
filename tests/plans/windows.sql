SET 'table.exec.mini-batch.enabled' = 'true';
SET 'table.exec.mini-batch.allow-latency' = '2 s';
SET 'table.exec.mini-batch.size' = '5000';

SELECT `window_end`, `customer`, COUNT(DISTINCT `id`) AS `orders`
FROM TABLE(HOP(TABLE orders, DESCRIPTOR(`ts`), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE))
GROUP BY GROUPING SETS ((`window_start`, `window_end`, `customer`), (`window_start`, `window_end`));

SELECT `window_start`, `window_end`, `customer`, COUNT(*) AS `orders`
FROM TABLE(CUMULATE(TABLE orders, DESCRIPTOR(`ts`), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE))
WHERE `amount` > 1
GROUP BY `window_start`, `window_end`, `customer`;

SELECT `window_start`, `customer`, MAX(`amount`) AS `most`
FROM TABLE(SESSION(TABLE orders PARTITION BY `customer`, DESCRIPTOR(`ts`), INTERVAL '90' SECOND))
GROUP BY `window_start`, `window_end`, `customer`;

SELECT `country`, COUNT(*) AS `customers` FROM customers GROUP BY `country`;
SELECT `customer`, COUNT(*) AS `orders` FROM orders GROUP BY `customer`;
