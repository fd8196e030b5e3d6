-- case: what NaN, 0.0 and -0.0 are as keys of joins, of IN and NOT IN, and of groups
CREATE TABLE a (id INT, d DOUBLE, e DOUBLE NOT NULL) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (id INT, d DOUBLE, e DOUBLE NOT NULL) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.id AS l, b.id AS r FROM a JOIN b ON a.d = b.d;
SELECT a.id AS l, b.id AS r FROM a JOIN b ON a.e = b.e;
SELECT a.id AS l, b.id AS r FROM a LEFT JOIN b ON a.d = b.d AND a.id > b.id;
SELECT a.id AS l, b.id AS r FROM a JOIN b ON a.d IS NOT DISTINCT FROM b.d;
SELECT id FROM a WHERE d IN (SELECT d FROM b);
SELECT id FROM a WHERE e IN (SELECT e FROM b);
SELECT id FROM a WHERE d NOT IN (SELECT d FROM b WHERE d IS NOT NULL);
SELECT id FROM a WHERE d NOT IN (SELECT e FROM b);
SELECT id FROM a WHERE e NOT IN (SELECT d FROM b WHERE id < 10);
SELECT id FROM a WHERE e NOT IN (SELECT e FROM b);
SELECT id FROM a WHERE (d, id) NOT IN (SELECT d, id FROM b);
SELECT id FROM a WHERE (e, 1) NOT IN (SELECT e, 1 FROM b);
SELECT id FROM a WHERE d NOT IN (SELECT d FROM b WHERE b.id = a.id);
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.d = a.d);
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.d = a.d);
SELECT id FROM a WHERE e <> ALL (SELECT e FROM b);
SELECT d, COUNT(*) AS n FROM a GROUP BY d;
SELECT DISTINCT e FROM a;
SELECT COUNT(DISTINCT d) AS n FROM a;
SELECT id, (SELECT MAX(b.id) FROM b WHERE b.d = a.d) AS m FROM a;
SELECT d FROM a INTERSECT SELECT d FROM b;
SELECT d FROM a EXCEPT SELECT d FROM b;
