"""What a Python client can write to a server over ADBC: asserts it, and says nothing where all is right.

    inserts.py URI

A server without jobs runs there.
"""

import datetime
import sys
import threading
import warnings

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow

warnings.simplefilter("ignore")
uri = sys.argv[1]


def connect():
    return flightsql.connect(uri, autocommit=True)


def rows(cursor, sql, parameters=None):
    cursor.execute(sql, parameters)
    return cursor.fetch_arrow_table().to_pylist()


def refused(what, *words):
    try:
        what()
    except flightsql.Error as error:
        missing = [word for word in words if word not in str(error)]
        assert not missing, (missing, str(error))
    else:
        raise AssertionError(f"not refused: {words}")


with connect() as connection, connection.cursor() as cursor:
    cursor.execute("CREATE TABLE notes (id INT NOT NULL, t STRING, seen TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED)")
    cursor.fetchall()
    # Once more is no mistake.
    assert "there already" in rows(cursor, "CREATE TABLE notes (id INT NOT NULL, t STRING, seen TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED)")[0]["result"]
    at = datetime.datetime(2024, 1, 2, 3, 4, 5)
    assert rows(cursor, "INSERT INTO notes VALUES (1, 'it''s', TIMESTAMP '2024-01-02 03:04:05'), (2, NULL, NULL)") == [{"rows": 2}]
    assert rows(cursor, "SELECT * FROM notes ORDER BY id") == [{"id": 1, "t": "it's", "seen": at}, {"id": 2, "t": None, "seen": None}]
    # With parameters: the rows of one call are in one epoch.
    cursor.executemany("INSERT INTO notes VALUES (?, ?, ?)", [(n, f"row {n}", at) for n in range(2, 52)])
    assert rows(cursor, "SELECT COUNT(*) AS n, MAX(t) AS t FROM notes") == [{"n": 51, "t": "row 9"}]
    # A query may be what is inserted.
    assert rows(cursor, "INSERT INTO notes (id, t) SELECT id + 100, UPPER(t) FROM notes WHERE id < 4") == [{"rows": 3}]
    assert rows(cursor, "SELECT t FROM notes WHERE id = 103") == [{"t": "ROW 3"}]
    # Whole tables, their columns by name; other widths of numbers and text are cast.
    table = pyarrow.table({"t": pyarrow.array(["x", "y"], pyarrow.large_string()), "id": pyarrow.array([1, 900], pyarrow.int64())})
    assert cursor.adbc_ingest("notes", table, mode="append") == 2
    assert rows(cursor, "SELECT t FROM notes WHERE id IN (1, 900) ORDER BY id") == [{"t": "x"}, {"t": "y"}]
    many = pyarrow.table({"k": [n % 7 for n in range(200_000)], "v": [n / 2 for n in range(200_000)]})
    assert cursor.adbc_ingest("numbers", many, mode="create") == 200_000
    assert rows(cursor, "SELECT COUNT(*) AS n, SUM(v) AS s FROM numbers") == [{"n": 200_000, "s": sum(n / 2 for n in range(200_000))}]
    assert cursor.adbc_ingest("numbers", many.slice(0, 3), mode="create_append") == 3
    # What does not fit is refused as a whole.
    refused(lambda: cursor.adbc_ingest("numbers", many, mode="create"), "'numbers' is there already")
    refused(lambda: cursor.adbc_ingest("nowhere", many, mode="append"), "'nowhere' not found")
    refused(lambda: cursor.adbc_ingest("notes", pyarrow.table({"id": ["1"]}), mode="append"), "column 'id'", "INT", "cast them first")
    refused(lambda: cursor.adbc_ingest("notes", pyarrow.table({"id": [2**40]}), mode="append"), "column 'id'", "1099511627776")
    refused(lambda: cursor.adbc_ingest("notes", pyarrow.table({"id": [1], "u": [1]}), mode="append"), "no column 'u'", "id, t, seen")
    refused(lambda: cursor.adbc_ingest("notes", pyarrow.table({"t": ["no key"]}), mode="append"), "'id'", "NOT NULL", "row 1")
    refused(lambda: rows(cursor, "INSERT INTO notes (t) VALUES ('no key')"), "'id'", "NOT NULL")
    refused(lambda: rows(cursor, "INSERT INTO notes VALUES (1, 2)"), "<query>:1")
    refused(lambda: rows(cursor, "INSERT INTO notes (id) VALUES (1) ON CONFLICT DO NOTHING"), "ON CONFLICT", "<query>:1:35")
    for given in ((), (1,), (1, "x", None, 2)):
        refused(lambda: rows(cursor, "INSERT INTO notes VALUES (?, ?, ?)", given), f"3 parameters, and {len(given)} values")
        refused(lambda: cursor.executemany("INSERT INTO notes VALUES (?, ?, ?)", [given, given]), "3 parameters")
    refused(lambda: rows(cursor, "INSERT INTO flowline.jobs SELECT * FROM flowline.jobs"), "takes no rows from clients")
    refused(lambda: rows(cursor, "CREATE TABLE notes (id BIGINT)"), "a job 'notes' with other statements")
    refused(lambda: rows(cursor, "CREATE VIEW v AS SELECT 1"), "pipeline.name")
    # Statements together are a job; what its statements write takes no rows.
    rows(
        cursor,
        """SET 'pipeline.name' = 'shop';
           CREATE TABLE sales (item STRING, price DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);
           CREATE TABLE totals (item STRING, total DOUBLE, PRIMARY KEY (item) NOT ENFORCED);
           CREATE TABLE minutes (minute_start TIMESTAMP(3), n BIGINT);
           INSERT INTO totals SELECT item, SUM(price) FROM sales GROUP BY item;
           INSERT INTO minutes SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE sales, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
           GROUP BY window_start, window_end""",
    )
    refused(lambda: rows(cursor, "INSERT INTO totals VALUES ('a', 1)"), "'totals' is written by the statements of job 'shop'")
    base = datetime.datetime(2024, 1, 1)
    cursor.executemany("INSERT INTO sales VALUES (?, ?, ?)", [("ab"[n % 2], 1.5, base + datetime.timedelta(seconds=n)) for n in range(100)])
    assert rows(cursor, "SELECT * FROM totals ORDER BY item") == [{"item": "a", "total": 75.0}, {"item": "b", "total": 75.0}]
    assert rows(cursor, "SELECT * FROM minutes") == [{"minute_start": base, "n": 60}]

# Many clients at once: their inserts share epochs.
failed = []


def client(number):
    try:
        with connect() as connection, connection.cursor() as cursor:
            for n in range(20):
                assert rows(cursor, "INSERT INTO notes (id) VALUES (?)", (1000 + number * 20 + n,)) == [{"rows": 1}]
    except BaseException as error:
        failed.append(error)


threads = [threading.Thread(target=client, args=(number,)) for number in range(10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed
with connect() as connection, connection.cursor() as cursor:
    assert rows(cursor, "SELECT COUNT(*) AS n FROM notes WHERE id >= 1000") == [{"n": 200}]
