-- Orders of customers, while both are there; a customer may change.
SET 'table.exec.state.ttl' = '1 d';
SELECT o.`id`, c.`country`
FROM orders AS o LEFT JOIN customers AS c ON o.`customer` = c.`name` AND o.`amount` > 10;

-- Payments up to five minutes after their order.
SELECT o.`id`, p.`paid`
FROM orders AS o JOIN payments AS p
ON o.`id` = p.`order_id` AND p.`paid_at` BETWEEN o.`ts` AND o.`ts` + INTERVAL '5' MINUTE;

-- Orders that nobody paid.
SELECT `id` FROM orders WHERE NOT EXISTS (SELECT 1 FROM payments WHERE `order_id` = `id`);
