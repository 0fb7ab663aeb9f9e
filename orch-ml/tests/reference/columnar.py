"""Parquet and Arrow files and what pyarrow reads of them, for tests/columnar.rs.

pyarrow 26.0.1, Python 3.11. Run: python columnar.py > columnar.json
"""

import datetime
import decimal
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

data = Path(__file__).parent.parent / "data"

zone = datetime.timezone(datetime.timedelta(hours=1, minutes=30))
day = datetime.datetime(2024, 2, 29, 18, 30)
columns = {
    "flag": pa.array([True, None, False]),
    "tiny": pa.array([-128, None, 127], pa.int8()),
    "short": pa.array([-32768, None, 32767], pa.int16()),
    "mid": pa.array([-(2**31), None, 2**31 - 1], pa.int32()),
    "long": pa.array([-(2**63), None, 2**63 - 1], pa.int64()),
    "unsigned8": pa.array([0, None, 255], pa.uint8()),
    "unsigned16": pa.array([0, None, 65535], pa.uint16()),
    "unsigned32": pa.array([0, None, 2**32 - 1], pa.uint32()),
    "unsigned64": pa.array([0, None, 2**63 - 1], pa.uint64()),
    "half": pa.array([0.5, None, -2.25], pa.float16()),
    "single": pa.array([0.1, None, float("inf")], pa.float32()),
    "double": pa.array([0.1, None, -1e300]),
    "exact": pa.array([decimal.Decimal("-12345.678"), None, decimal.Decimal("0.001")]),
    "text": pa.array(["Røros", None, ""]),
    "large": pa.array(["a\tb", None, "c"], pa.large_string()),
    "view": pa.array(["short", None, "longer than what is kept in place"], pa.string_view()),
    "word": pa.array(["b", None, "a"]).dictionary_encode(),
    "day": pa.array([datetime.date(1969, 12, 31), None, datetime.date(2024, 2, 29)]),
    "day64": pa.array([datetime.date(1969, 12, 31), None, datetime.date(2024, 2, 29)], pa.date64()),
    "second": pa.array([day, None, day], pa.timestamp("s")),
    "milli": pa.array([day, None, day], pa.timestamp("ms")),
    "micro": pa.array([day, None, datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)]),
    "nano": pa.array([1_709_231_400_000_000_999, None, -1], pa.timestamp("ns")),
    "zoned": pa.array(
        [datetime.datetime(2024, 2, 29, 20, 0, tzinfo=zone), None, None],
        pa.timestamp("us", "Europe/Oslo"),
    ),
    "nothing": pa.nulls(3),
}
table = pa.table(columns)
# Twice, in row groups of two rows and in two batches.
twice = pa.concat_tables([table, table])

pq.write_table(twice, data / "types.parquet", row_group_size=2, compression="snappy")
with pa.OSFile(str(data / "types.arrow"), "wb") as file:
    with pa.ipc.new_file(file, twice.schema) as writer:
        writer.write_table(twice, max_chunksize=3)
with pa.OSFile(str(data / "types.arrows"), "wb") as file:
    with pa.ipc.new_stream(file, twice.schema) as writer:
        writer.write_table(twice, max_chunksize=3)
bad = {
    "n": pa.array([1, 2]),
    "large": pa.array([7, 2**63], pa.uint64()),
    "lists": pa.array([[1], None]),
    "far": pa.array([0, 2**62], pa.timestamp("s")),
}
with pa.OSFile(str(data / "bad.arrow"), "wb") as file:
    with pa.ipc.new_file(file, pa.table(bad).schema) as writer:
        writer.write_table(pa.table(bad))


def cell(value):
    """As the tests write it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, decimal.Decimal):
        return repr(float(value))
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return str(value)
    if isinstance(value, datetime.date):
        return f"{value} 00:00:00"
    return repr(value) if isinstance(value, float) else str(value)


def cells(name):
    column = twice[name]
    if name == "nano":
        # Without the nanoseconds, which Python's own type does not have.
        column = column.cast(pa.timestamp("us"), safe=False)
        shown = ["2024-02-29 18:30:00", None, "1969-12-31 23:59:59.999999"] * 2
        return shown
    return [cell(value) for value in column.to_pylist()]


json.dump({name: cells(name) for name in columns}, sys.stdout, indent=1)
print()
