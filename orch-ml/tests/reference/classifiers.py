"""Logistic regression and naive Bayes of scikit-learn, for tests/classifiers.rs.

scikit-learn 1.9.1, numpy 2.4.6, pandas 3.1.1. Run: python classifiers.py > classifiers.json
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

penguins = pandas.read_csv(Path(__file__).parents[3] / "examples/data/penguins.csv").dropna()
cancer = load_breast_cancer()
data_sets = {
    "iris": load_iris(return_X_y=True),
    "wine": load_wine(return_X_y=True),
    "penguins": (
        penguins.iloc[:, 2:6].to_numpy(dtype=float),
        np.unique(penguins["species"], return_inverse=True)[1],
    ),
    # benign before malignant, as the names are sorted
    "breast_cancer": (cancer.data, 1 - cancer.target),
}


def shown(model, X):
    return {
        "accuracy": float(np.mean(model.predict(X) == model.y)),
        "probabilities": model.predict_proba(X[::17]).tolist(),
    }


def logistic(X, y, C):
    model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=10_000).fit(X, y)
    model.y = y
    scores = model.decision_function(X)
    if scores.ndim == 1:
        residuals = (1 / (1 + np.exp(-scores)) - y)[:, None]
    else:
        residuals = softmax(scores, axis=1) - np.eye(scores.shape[1])[y]
    gradient = C * residuals.T @ StandardScaler().fit_transform(X) + model.coef_ / X.std(axis=0)
    assert np.abs(gradient).max() < 1e-7 * max(C, 1), np.abs(gradient).max()
    return {
        "C": C,
        "coefficients": model.coef_.tolist(),
        "intercepts": model.intercept_.tolist(),
        **shown(model, X),
    }


def bayes(X, y, var_smoothing):
    model = GaussianNB(var_smoothing=var_smoothing).fit(X, y)
    model.y = y
    return {
        "var_smoothing": var_smoothing,
        "means": model.theta_.tolist(),
        "variances": model.var_.tolist(),
        "priors": model.class_prior_.tolist(),
        **shown(model, X),
    }


json.dump(
    {
        name: {
            "logistic": [logistic(X, y, C) for C in [1.0, 0.01]],
            "logistic_standardized": [
                logistic(StandardScaler().fit_transform(X), y, C) for C in [1.0, 100.0]
            ],
            "naive_bayes": [bayes(X, y, smoothing) for smoothing in [1e-9, 1e-3]],
        }
        for name, (X, y) in data_sets.items()
    },
    sys.stdout,
    indent=None,
    separators=(",", ":"),
)
print()
