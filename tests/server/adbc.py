"""What a Python client sees of a server, over ADBC and over Arrow Flight: asserts it, and says nothing where all is right.

    adbc.py URI

The job `kept` of tests/it/server.rs runs there, with the numbers 0 to 9.
"""

import json
import sys
import warnings

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow.flight as flight

warnings.simplefilter("ignore")
uri = sys.argv[1]
totals = [{"k": 0, "c": 4, "s": 18}, {"k": 1, "c": 3, "s": 12}, {"k": 2, "c": 3, "s": 15}]

with flightsql.connect(uri) as connection, connection.cursor() as cursor:

    def rows(sql, parameters=None):
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table().to_pylist()

    assert rows("SELECT * FROM totals ORDER BY k") == totals
    assert rows("SELECT * FROM default_catalog.kept.totals WHERE k = 2") == totals[2:]
    assert rows("SELECT job, state FROM flowline.jobs") == [{"job": "kept", "state": "RUNNING"}]
    # Parameters, whatever stands in them.
    assert rows("SELECT s FROM totals WHERE k = ? AND c < ?", (1, 100)) == [{"s": 12}]
    odd = "it's; -- 'odd' ?"
    assert rows("SELECT ? AS a, '?' AS b, CAST(? AS INT) AS c", (odd, None)) == [{"a": odd, "b": "?", "c": None}]
    assert rows("SELECT ? AS a", (1.5,)) == [{"a": 1.5}]
    # What there is.
    tables = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
    schemas = {s["db_schema_name"]: [t["table_name"] for t in s["db_schema_tables"]] for s in tables[0]["catalog_db_schemas"]}
    assert schemas["kept"] == ["numbers", "seen", "totals"], schemas
    assert "jobs" in schemas["flowline"], schemas
    schema = connection.adbc_get_table_schema("totals", db_schema_filter="kept")
    assert schema.names == ["k", "c", "s"], schema
    # Mistakes say what and where.
    try:
        rows("SELECT nope FROM totals")
        raise AssertionError("a column that is not there was answered")
    except flightsql.Error as error:
        assert "1:8" in str(error) and "'nope' not found" in str(error), error

client = flight.connect(uri.replace("grpc://", "grpc+tcp://"))


def any_of(name, field, text):
    """A google.protobuf.Any of a Flight SQL command with one text field."""

    def piece(number, data):
        return bytes([number << 3 | 2]) + varint(len(data)) + data

    def varint(n):
        return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])

    url = f"type.googleapis.com/arrow.flight.protocol.sql.{name}".encode()
    return piece(1, url) + piece(2, piece(field, text.encode()))


def subscribe(sql, after=None):
    sets = "SET 'execution.runtime-mode' = 'streaming'; "
    if after is not None:
        sets += f"SET 'flowline.subscribe.from' = '{after}'; "
    command = any_of("CommandStatementQuery", 1, sets + sql)
    info = client.get_flight_info(flight.FlightDescriptor.for_command(command))
    assert info.schema.names[0] == "__op"
    return client.do_get(info.endpoints[0].ticket)


reader = subscribe("SELECT k, s FROM totals")
chunk = reader.read_chunk()
mark = json.loads(chunk.app_metadata.to_pybytes())
assert mark["complete"] and mark["epoch"] > 0, mark
present = sorted((row["k"], row["s"]) for row in chunk.data.to_pylist() if row["__op"] == "+I")
assert present == [(0, 18), (1, 12), (2, 15)], present
# Nothing changes: the server says how far it has come.
chunk = reader.read_chunk()
assert chunk.data is None
assert json.loads(chunk.app_metadata.to_pybytes())["epoch"] >= mark["epoch"]
reader.cancel()

# Whoever asked may cancel, also over another call.
command = any_of("CommandStatementQuery", 1, "SET 'execution.runtime-mode' = 'streaming'; SELECT k FROM totals")
info = client.get_flight_info(flight.FlightDescriptor.for_command(command))
reader = client.do_get(info.endpoints[0].ticket)
reader.read_chunk()


def message(number, data):
    size, prefix = len(data), b""
    while size > 127:
        prefix, size = prefix + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + prefix + bytes([size]) + data


cancel = flight.Action("CancelFlightInfo", message(1, info.serialize()))
assert [r.body.to_pybytes() for r in client.do_action(cancel)] == [b"\x08\x01"]
try:
    while True:
        reader.read_chunk()
except flight.FlightCancelledError as error:
    assert "the query was cancelled" in str(error), error
assert [r.body.to_pybytes() for r in client.do_action(cancel)] == [b"\x08\x03"], "it is cancelled already"

# Tables are flights too, by their paths.
paths = [f.descriptor.path for f in client.list_flights()]
assert [b"kept", b"totals"] in paths and [b"flowline", b"jobs"] in paths, paths
path = flight.FlightDescriptor.for_path("kept", "totals")
assert client.get_schema(path).schema.names == ["k", "c", "s"]
ticket = client.get_flight_info(path).endpoints[0].ticket
assert sorted(client.do_get(ticket).read_all().to_pylist(), key=lambda row: row["k"]) == totals
for malformed in (b"", b"nonsense", any_of("CommandNobodyKnows", 1, "x")):
    for call in (client.get_flight_info, client.get_schema):
        try:
            call(flight.FlightDescriptor.for_command(malformed))
            raise AssertionError("nonsense was understood")
        except (NotImplementedError, ValueError) as error:
            assert "no command of Flight SQL" in str(error), error

# What a client sets counts for all its queries.
options = {"adbc.flight.sql.rpc.with_cookie_middleware": "true"}
with flightsql.connect(uri, db_kwargs=options) as connection, connection.cursor() as cursor:
    inner = connection.adbc_connection
    inner.set_options(**{"adbc.connection.catalog": "default_catalog", "adbc.connection.db_schema": "flowline"})
    assert inner.get_option("adbc.connection.db_schema") == "flowline"
    cursor.execute("SELECT state FROM jobs")
    assert cursor.fetchone() == ("RUNNING",)
    inner.set_options(**{"adbc.flight.sql.session.option.execution.runtime-mode": "streaming", "adbc.connection.db_schema": "kept"})
    cursor.execute("SELECT k FROM totals")
    assert cursor.fetchone()[0] == "+I"
    for option in ({"adbc.connection.db_schema": "nowhere"}, {"adbc.flight.sql.session.option.no.such": "1"}, {"adbc.connection.catalog": "x"}):
        try:
            inner.set_options(**option)
            raise AssertionError(f"{option} was taken")
        except flightsql.Error:
            pass
