-- case: JSON_OBJECT, JSON_ARRAY and JSON_STRING
CREATE TABLE t (id INT, s STRING, d DOUBLE, b BOOLEAN, de DECIMAL(6, 2), xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, JSON_OBJECT('id' VALUE id, 's' VALUE s, 'd' VALUE d, 'b' VALUE b) AS o, JSON_OBJECT('s' VALUE s, 'b' VALUE b ABSENT ON NULL) AS oa, JSON_OBJECT(KEY 'k' VALUE JSON_OBJECT('n' VALUE id)) AS nested, JSON_ARRAY(id, s, b) AS a, JSON_ARRAY(id, s, b NULL ON NULL) AS an, JSON_STRING(s) AS js, JSON_STRING(id) AS ji, JSON_STRING(b) AS jb FROM t;
SELECT id, JSON_OBJECT() AS eo, JSON_ARRAY() AS ea, JSON_OBJECT('xs' VALUE xs) AS x FROM t;
