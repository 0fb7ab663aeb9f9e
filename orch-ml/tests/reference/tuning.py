"""Grids and cross-validation of scikit-learn, for tests/tuning.rs.

scikit-learn 1.9.1, numpy 2.4.6. Run: python tuning.py > tuning.json
"""

import json
import sys

from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, ParameterGrid, TimeSeriesSplit, cross_val_score

x, y = load_diabetes(return_X_y=True, as_frame=True)
columns = ["bmi", "bp", "s5"]


def scores(validation, scoring):
    return cross_val_score(LinearRegression(), x[columns], y, cv=validation, scoring=scoring).tolist()


json.dump(
    {
        "grid": list(ParameterGrid({"max_depth": [3, None], "n_trees": [10, 20, 30]})),
        "r2": scores(KFold(5), "r2"),
        "mae": scores(KFold(4), "neg_mean_absolute_error"),
        "rmse": scores(TimeSeriesSplit(3), "neg_root_mean_squared_error"),
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
