"""Learning curves of scikit-learn, for tests/learning_curves.rs.

scikit-learn 1.9.1, numpy 2.4.6. Run: python learning.py > learning.json
"""

import json
import sys

from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, StratifiedKFold, learning_curve
from sklearn.naive_bayes import GaussianNB

fractions = [0.1, 0.325, 0.55, 0.775, 1.0]


def curve(model, x, y, validation, scoring):
    n_rows, train, valid = learning_curve(
        model, x, y, train_sizes=fractions, cv=validation, scoring=scoring
    )
    return {"n_rows": n_rows.tolist(), "train": train.tolist(), "valid": valid.tolist()}


x, y = load_diabetes(return_X_y=True, as_frame=True)
x = x[["bmi", "bp", "s5"]]
cancer_x, cancer_y = load_breast_cancer(return_X_y=True)

json.dump(
    {
        "r2": curve(LinearRegression(), x, y, KFold(5), "r2"),
        "mae": curve(LinearRegression(), x, y, KFold(4), "neg_mean_absolute_error"),
        "accuracy": curve(GaussianNB(), cancer_x, cancer_y, StratifiedKFold(5), "accuracy"),
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
