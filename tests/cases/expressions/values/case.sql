-- case: SELECT without a table and VALUES as a table
SELECT 1 + 1 AS two, CAST(NULL AS INT) AS n, 'a' AS s, TRUE AS b;
SELECT id, UPPER(name) AS name, amount * 2 AS amount FROM (VALUES (1, 'a', 1.5), (2, 'b', 20.25), (3, CAST(NULL AS STRING), 0)) AS v (id, name, amount) WHERE id <> 2;
