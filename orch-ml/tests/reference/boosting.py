"""Accuracy of scikit-learn's histogram-based boosting on rows held out, for tests/boosting.rs.

scikit-learn 1.9.1, numpy 2.4.6. Run: python boosting.py > boosting.json

Folds are drawn here and written down, so that both libraries fit the same rows. Penguins keep their
missing measurements.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

N_FOLDS = 5
SEEDS = range(5)


def folds_of(n_rows, seed):
    return np.random.default_rng(seed).permutation(n_rows) % N_FOLDS


def held_out(make, X, y, seed):
    folds = folds_of(len(y), seed)
    predictions = np.empty(len(y), dtype=y.dtype)
    for fold in range(N_FOLDS):
        train, test = folds != fold, folds == fold
        predictions[test] = make(seed).fit(X[train], y[train]).predict(X[test])
    return predictions


def classifier(X, y):
    make = lambda seed: HistGradientBoostingClassifier(random_state=seed)
    scores = [float(np.mean(held_out(make, X, y, seed) == y)) for seed in SEEDS]
    return {"folds": [folds_of(len(y), seed).tolist() for seed in SEEDS], "scores": scores}


def regressor(X, y):
    make = lambda seed: HistGradientBoostingRegressor(random_state=seed)
    scores = []
    for seed in SEEDS:
        errors = held_out(make, X, y, seed) - y
        scores.append(float(1 - np.sum(errors**2) / np.sum((y - y.mean()) ** 2)))
    return {"folds": [folds_of(len(y), seed).tolist() for seed in SEEDS], "scores": scores}


penguins = list(csv.DictReader(open(Path(__file__).parents[3] / "examples/data/penguins.csv")))
measures = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
number = lambda text: float(text) if text not in ("", "NA") else np.nan
gaps = np.array([[number(row[name]) for name in measures] for row in penguins])
species = np.array([row["species"] for row in penguins])

iris, wine, cancer, diabetes = load_iris(), load_wine(), load_breast_cancer(), load_diabetes()
json.dump(
    {
        "iris": classifier(iris.data, iris.target),
        "wine": classifier(wine.data, wine.target),
        "breast_cancer": classifier(cancer.data, cancer.target),
        "penguins_with_gaps": classifier(gaps, species),
        "diabetes": regressor(diabetes.data, diabetes.target),
    },
    sys.stdout,
    separators=(",", ":"),
)
