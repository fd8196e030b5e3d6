-- The first of each, once the watermark has passed it; the last of each, at once.
SELECT `id`, `customer`
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `id` ORDER BY `ts`) AS `n` FROM orders)
WHERE `n` = 1;

SELECT `id`, `customer`
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `id` ORDER BY `ts` DESC) AS `n` FROM orders)
WHERE `n` = 1;
