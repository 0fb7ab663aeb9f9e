"""k-means and DBSCAN of scikit-learn, for tests/clustering.rs.

scikit-learn 1.9.1, numpy 2.4.6, pandas 3.1.1. Run: python clusters.py > clusters.json
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

penguins = pandas.read_csv(Path(__file__).parents[3] / "examples/data/penguins.csv").dropna()
scaled = lambda X: StandardScaler().fit_transform(X)
data_sets = {
    "iris": load_iris().data,
    "wine": scaled(load_wine().data),
    "penguins": scaled(penguins.iloc[:, 2:6].to_numpy(dtype=float)),
    "breast_cancer": scaled(load_breast_cancer().data),
}


def from_rows(X, rows, **options):
    """k-means from the given rows as centroids."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KMeans(len(rows), init=X[rows], n_init=1, **options).fit(X)
    return {
        "rows": rows,
        "options": {"n_clusters": len(rows), **options},
        "labels": model.labels_.tolist(),
        "centroids": model.cluster_centers_.tolist(),
        "inertia": float(model.inertia_),
        "n_iter": int(model.n_iter_),
        "predictions": model.predict(X[::7] + 0.1).tolist(),
    }


def best(X, k):
    return float(KMeans(k, n_init=100, random_state=0, tol=0).fit(X).inertia_)


def dbscan(X, eps, min_samples):
    model = DBSCAN(eps=eps, min_samples=min_samples).fit(X)
    return {
        "options": {"eps": eps, "min_samples": min_samples},
        "labels": model.labels_.tolist(),
        "core_rows": model.core_sample_indices_.tolist(),
    }


json.dump(
    {
        name: {
            "from_rows": [
                from_rows(X, [0, 50, 100]),
                from_rows(X, [3, 2, 1, 0], tol=0.0),
                from_rows(X, [0, 1, 2, 3, 4, 5, 6, 7], max_iter=3),
                # Equal centroids: all but the first get no rows, and others in their place.
                from_rows(X, [0, 0, 0, 100]),
            ],
            "best_of_3": best(X, 3),
            "dbscan": [
                dbscan(X, eps, least) for eps, least in [(0.5, 5), (0.9, 4), (2.2, 6), (4.0, 3)]
            ],
        }
        for name, X in data_sets.items()
    },
    sys.stdout,
    indent=None,
    separators=(",", ":"),
)
print()
