"""Linear support vector machines of scikit-learn, for tests/linear_svm.rs.

scikit-learn 1.9.1, numpy 2.4.6, pandas 3.1.1. Run: python linear_svm.py > linear_svm.json
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

warnings.simplefilter("error")
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


def fitted(X, y, loss, C):
    X = StandardScaler().fit_transform(X)
    model = LinearSVC(dual=True, loss=loss, C=C, tol=1e-10, max_iter=10_000_000).fit(X, y)
    return {
        "options": {"loss": "".join(word.title() for word in loss.split("_")), "c": C},
        "coefficients": model.coef_.tolist(),
        "intercepts": model.intercept_.tolist(),
        "decisions": model.decision_function(X[::17]).tolist(),
        "accuracy": model.score(X, y),
    }


json.dump(
    {
        name: [
            fitted(X, y, loss, C) for loss in ["hinge", "squared_hinge"] for C in [1.0, 0.05]
        ]
        for name, (X, y) in data_sets.items()
    },
    sys.stdout,
    indent=None,
    separators=(",", ":"),
)
print()
