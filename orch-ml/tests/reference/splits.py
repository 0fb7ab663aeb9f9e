"""Folds of scikit-learn, for tests/splits.rs.

scikit-learn 1.9.1, numpy 2.4.6. Run: python splits.py > splits.json
"""

import json
import sys

import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit


def tests(folds):
    return [test.tolist() for _, test in folds]


def both(folds):
    return [{"train": train.tolist(), "test": test.tolist()} for train, test in folds]


iris = load_iris().target
# Classes in another order than that of their names, of sizes that do not come out even.
labels = ["b", "a", "b", "c", "a", "b", "c", "c", "b", "a", "b", "c", "a", "b", "b", "c", "c"]
# Groups of 9, 7, 6, 5, 3, 2 and 1 rows, mixed.
groups = [(7 * row) % 33 for row in range(33)]
bounds = [9, 16, 22, 27, 30, 32, 33]
groups = [next(g for g, bound in enumerate(bounds) if place < bound) for place in groups]

json.dump(
    {
        "k_fold": [
            {"n_rows": n, "n_splits": k, "tests": tests(KFold(k).split(np.zeros(n)))}
            for n, k in [(10, 5), (11, 3), (7, 7), (23, 4)]
        ],
        "stratified": [
            {
                "labels": [str(label) for label in y],
                "n_splits": k,
                "tests": tests(StratifiedKFold(k).split(np.zeros(len(y)), y)),
            }
            for y, k in [(iris.tolist(), 5), (labels, 2), (labels, 4), (iris.tolist(), 7)]
        ],
        "groups": [
            {
                "groups": groups,
                "n_splits": k,
                "tests": tests(GroupKFold(k).split(np.zeros(len(groups)), groups=groups)),
            }
            for k in [2, 3, 5]
        ],
        "rolling": [
            {"n_rows": n, **options, "folds": both(TimeSeriesSplit(**options).split(np.zeros(n)))}
            for n, options in [
                (12, {"n_splits": 5}),
                (20, {"n_splits": 3, "test_size": 2}),
                (20, {"n_splits": 3, "test_size": 4, "gap": 2}),
                (20, {"n_splits": 4, "max_train_size": 5}),
                (23, {"n_splits": 5, "max_train_size": 3, "gap": 1}),
            ]
        ],
    },
    sys.stdout,
    indent=None,
    separators=(",", ":"),
)
print()
