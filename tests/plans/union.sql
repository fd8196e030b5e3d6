INSERT INTO totals
SELECT `customer`, SUM(`amount`) FROM orders GROUP BY `customer`
UNION ALL
SELECT CAST(`order_id` AS STRING), `paid` FROM payments
ON CONFLICT DO DEDUPLICATE;
