"""Files as numpy and pandas write and read them, for tests/other_files.rs.

numpy 2.4.6, pandas 3.1.1. Run: python arrays.py > arrays.json
"""

import io
import json
import sys

import numpy as np
import pandas as pd

matrix = np.array([[1.5, -2.0, 3.25], [0.0, 1e300, -0.125]])
whole = np.array([[1, -2], [127, -128], [0, 5]])
arrays = {
    "floats": matrix,
    "floats in Fortran order": np.asfortranarray(matrix),
    "32-bit floats": np.array([[0.5, -1.25]], dtype="<f4"),
    "big-endian floats": matrix.astype(">f8"),
    "64-bit integers": whole.astype("<i8"),
    "8-bit integers": whole.astype("i1"),
    "big-endian 16-bit integers": whole.astype(">i2"),
    "unsigned integers": np.array([[255, 0]], dtype="u1"),
    "booleans": np.array([[True, False]]),
    "a vector": np.array([1.0, 2.0, 3.0]),
    "no rows": np.zeros((0, 3)),
}
refused = {
    "its type `<c16` is not one of numbers or booleans": np.array([[1j]]),
    "it has 3 dimensions, expected 1 or 2": np.zeros((1, 2, 2)),
    "it has 0 dimensions, expected 1 or 2": np.array(1.0),
}


def rows(array):
    return (array if array.ndim == 2 else array[:, None]).astype(float).tolist()


def saved(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue().hex()


lines = """{"a": 1, "b": "x", "c": true}
{"b": "y", "a": 2.5}

{"d": null, "c": false, "a": 18446744073709551615}
"""
frame = pd.read_json(io.StringIO(lines), lines=True)
json.dump(
    {
        "arrays": [
            {"name": name, "file": saved(array), "values": rows(array)}
            for name, array in arrays.items()
        ]
        + [
            {"name": "version 2.0", "file": saved(matrix, (2, 0)), "values": matrix.tolist()},
            {"name": "version 3.0", "file": saved(matrix, (3, 0)), "values": matrix.tolist()},
        ],
        "refused": [{"problem": problem, "file": saved(array)} for problem, array in refused.items()],
        "lines": lines,
        "frame": {
            name: [None if pd.isna(value) else value for value in column.tolist()]
            for name, column in frame.items()
        },
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
