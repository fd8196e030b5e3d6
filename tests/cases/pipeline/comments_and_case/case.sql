-- case: comments anywhere, keywords in any case, case-sensitive names, quoted names, a trailing statement without semicolon
/* a block
   comment; with a semicolon */
create table `Mixed Case` (
  `Id` int comment 'the id', -- a comment; too
  `select` string comment 'it''s a keyword'
) comment 'a table; with a comment' WITH (
  'connector' = 'kafka',
  'topic' = 'mixed',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
Select `Id` /* inline */ + 1 As `Next`, `select` From `Mixed Case` Where `select` <> ';' -- and 'this'
;
SELECT `Id`, '--not a comment' AS c, '/* nor */ this' AS d FROM `Mixed Case`
