-- case: PARSE_URL, URL_ENCODE and URL_DECODE
CREATE TABLE t (u STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT u, PARSE_URL(u, 'HOST') AS h, PARSE_URL(u, 'PATH') AS p, PARSE_URL(u, 'QUERY') AS q, PARSE_URL(u, 'QUERY', 'y') AS y, PARSE_URL(u, 'REF') AS r, PARSE_URL(u, 'PROTOCOL') AS pr, PARSE_URL(u, 'AUTHORITY') AS au, URL_ENCODE(u) AS e, URL_DECODE(URL_ENCODE(u)) AS d FROM t;
