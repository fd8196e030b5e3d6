CREATE TABLE numbers (`n` INT, `word` STRING) WITH ('connector' = 'datagen');
CREATE TABLE `out` (`doubled` INT, `word` STRING) WITH ('connector' = 'print');

INSERT INTO `out`
SELECT `n` * 2, COALESCE(UPPER(`word`), 'none')
FROM numbers
WHERE (`n` > 3 OR `n` < -3) AND `word` NOT LIKE 'x%';
