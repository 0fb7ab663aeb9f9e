"""Nested cross-validation by scikit-learn, for tests/nested.rs.

scikit-learn 1.9.1, numpy 2.4.6. Run: python nested.py > nested.json
"""

import json
import sys

from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_validate
from sklearn.tree import DecisionTreeClassifier


def nested(model, grid, inner, outer, data, scoring):
    search = GridSearchCV(model, grid, cv=inner, scoring=scoring)
    found = cross_validate(
        search, data.data, data.target, cv=outer, scoring=scoring, return_estimator=True
    )
    (option,) = grid
    return {
        "chosen": [search.best_params_[option] for search in found["estimator"]],
        "inner": [float(search.best_score_) for search in found["estimator"]],
        "scores": found["test_score"].tolist(),
    }


json.dump(
    {
        "ridge": nested(
            Ridge(),
            {"alpha": [0.001, 0.01, 0.03, 0.1, 0.3, 1.0]},
            KFold(3),
            KFold(5),
            load_diabetes(),
            "r2",
        ),
        "tree": nested(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": [1, 2]},
            StratifiedKFold(3),
            StratifiedKFold(4),
            load_iris(),
            "accuracy",
        ),
    },
    sys.stdout,
    indent=1,
)
