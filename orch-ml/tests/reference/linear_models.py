"""Penalised linear regression of scikit-learn, for tests/linear_models.rs.

scikit-learn 1.9.1, numpy 2.4.6. Run: python linear_models.py > linear_models.json
"""

import json
import sys

import numpy as np
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import ElasticNet, Lasso, Ridge

diabetes = load_diabetes(return_X_y=True)
# Columns of very different sizes, which are not centred: proline by the other twelve.
wine = load_wine().data
wine = (wine[:, :12], wine[:, 12])


def fitted(data, model):
    X, y = data
    model.fit(X, y)
    return {
        "coefficients": model.coef_.tolist(),
        "intercept": float(model.intercept_),
        "first_predictions": model.predict(X[:3]).tolist(),
    }


def elastic(data, alpha, l1_ratio):
    model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-14, max_iter=1_000_000)
    return {"alpha": alpha, "l1_ratio": l1_ratio, **fitted(data, model)}


def lasso(data, alpha):
    model = Lasso(alpha=alpha, tol=1e-14, max_iter=1_000_000)
    return {"alpha": alpha, **fitted(data, model)}


def ridge(data, alpha):
    return {"alpha": alpha, **fitted(data, Ridge(alpha=alpha, solver="cholesky"))}


json.dump(
    {
        "diabetes": {
            "ridge": [ridge(diabetes, alpha) for alpha in [0.01, 1.0, 100.0]],
            "lasso": [lasso(diabetes, alpha) for alpha in [0.01, 0.1, 1.0]],
            "elastic_net": [
                elastic(diabetes, alpha, ratio)
                for alpha, ratio in [(0.001, 0.5), (0.01, 0.9), (0.1, 0.2)]
            ],
        },
        "wine": {
            "ridge": [ridge(wine, alpha) for alpha in [0.5, 10.0]],
            "lasso": [lasso(wine, alpha) for alpha in [0.5, 5.0]],
            "elastic_net": [elastic(wine, alpha, ratio) for alpha, ratio in [(0.5, 0.5), (2.0, 0.8)]],
        },
        # More features than rows: the first 6 rows of diabetes.
        "wide": {
            "ridge": [ridge((diabetes[0][:6], diabetes[1][:6]), 0.1)],
            "lasso": [lasso((diabetes[0][:6], diabetes[1][:6]), 0.1)],
            "elastic_net": [],
        },
    },
    sys.stdout,
    indent=None,
    separators=(",", ":"),
)
print()
