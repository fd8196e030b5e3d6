CREATE TABLE numbers (`n` INT) WITH ('connector' = 'datagen');
EXPLAIN SELECT `n` + 1 AS `next` FROM numbers WHERE `n` IN (1, 2, 30000);
