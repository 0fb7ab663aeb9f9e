"""What pandas makes of dates and times, for tests/timestamps.rs.

pandas 3.1.1, numpy 2.4.6. Run: python timestamps.py > timestamps.json
"""

import json
import sys

import pandas as pd

TEXTS = [
    "2024-02-29T18:30:00Z",
    "2023-01-01",
    "2024-12-31T23:59:59.5+05:30",
    "1969-12-31 23:59:59.999999",
    "0001-01-01",
    "9999-12-31T23:59",
    "2000-02-29 12:00:00.123-0800",
    "2024-06-01T00:00:00+14",
    "1900-03-01T06:07:08",
]


def moments(texts):
    parsed = pd.to_datetime(texts, format="ISO8601", utc=True)
    return parsed.tz_localize(None).as_unit("us")


def describe(texts):
    # The statistics in the order of a table of numbers.
    found = pd.DataFrame({"t": moments(texts), "x": 0.0}).describe()["t"]
    order = ["count", "mean", "std", "min", "25%", "50%", "75%", "max"]
    return [None if pd.isna(found[name]) else str(found[name]) for name in order]


def printed(texts):
    return pd.Series(moments(texts)).to_string(index=False).split("\n")


groups = pd.DataFrame({"t": moments(TEXTS), "g": [1, 1, 1, 2, 2, 2, 3, 3, 3]}).groupby("g")["t"]
json.dump(
    {
        "texts": TEXTS,
        "microseconds": moments(TEXTS).astype("int64").tolist(),
        "text": [str(moment) for moment in moments(TEXTS)],
        "describe": describe(TEXTS[:4]),
        "describe_far": describe(TEXTS),
        "printed": [[texts, printed(texts)] for texts in [TEXTS[:2], TEXTS[1:2], TEXTS[:3], TEXTS[:4]]],
        "grouped": {
            how: [str(moment) for moment in groups.agg(how)]
            for how in ["first", "min", "max", "mean", "median"]
        },
        "sorted": pd.Series(moments(TEXTS)).sort_values(kind="stable").index.tolist(),
        "weekday": moments(TEXTS).day_of_week.tolist(),
        "year": moments(TEXTS).year.tolist(),
        "hour": moments(TEXTS).hour.tolist(),
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
