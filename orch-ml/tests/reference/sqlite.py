"""A SQLite database and what pandas reads of it, for tests/sqlite.rs.

pandas 3.1.1, Python 3.11 with its sqlite3. Run: python sqlite.py > sqlite.json
"""

import json
import sqlite3
import sys
from pathlib import Path

import pandas as pd

file = Path(__file__).parent.parent / "data" / "sales.sqlite"
file.unlink(missing_ok=True)
connection = sqlite3.connect(file)
connection.executescript(
    """
    CREATE TABLE sales (
        id INTEGER PRIMARY KEY, town VARCHAR(20), price DOUBLE PRECISION, rooms INT,
        garden BOOLEAN, sold TIMESTAMP, note TEXT, photo BLOB
    );
    INSERT INTO sales VALUES
        (1, 'Oslo', 100, 3, 1, '2024-02-29 18:30:00', NULL, NULL),
        (2, 'Røros', 80.5, NULL, 0, NULL, NULL, NULL),
        (3, NULL, NULL, 2, NULL, '2023-01-01', NULL, x'00ff'),
        (4, 'Oslo', -0.25, 9223372036854775807, 1, '2024-12-31T23:59:59.5Z', NULL, NULL);
    """
)
connection.commit()


def columns(query, *params, **options):
    frame = pd.read_sql_query(query, connection, params=params, **options)
    return {
        name: [
            None if value is None or value is pd.NaT or value != value else str(value)
            for value in column.astype(object).tolist()
        ]
        for name, column in frame.items()
    }


all_rows = "SELECT id, town, price, CAST(rooms AS TEXT) AS rooms, garden, sold FROM sales ORDER BY id"
json.dump(
    {
        "all": columns(all_rows, parse_dates={"sold": {"format": "ISO8601", "utc": True}}),
        "some": columns("SELECT id, price FROM sales WHERE town = ? AND price > ?", "Oslo", -1),
        "grouped": columns(
            "SELECT town, COUNT(*) AS n, AVG(price) AS mean FROM sales GROUP BY town ORDER BY town"
        ),
    },
    sys.stdout,
    separators=(",", ":"),
    ensure_ascii=False,
)
print()
