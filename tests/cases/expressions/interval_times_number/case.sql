-- case: an interval times a number
-- not yet: Interval

SELECT id, ts + n * INTERVAL '1' MINUTE AS tn, ts + INTERVAL '5' MINUTE * 2 AS t2 FROM t;
