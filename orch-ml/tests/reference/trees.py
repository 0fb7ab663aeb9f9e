"""Decision trees of scikit-learn, for tests/trees.rs.

scikit-learn 1.9.1, numpy 2.4.6. Run: python trees.py > trees.json
"""

import json
import sys

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, export_text

diabetes = load_diabetes()
# Features with at most 255 distinct values, for which bins are exact.
names = [n for n, column in zip(diabetes.feature_names, diabetes.data.T) if len(set(column)) <= 255]
exact = diabetes.data[:, [diabetes.feature_names.index(name) for name in names]]


def facts(tree):
    return {
        "depth": int(tree.get_depth()),
        "n_leaves": int(tree.get_n_leaves()),
        "importances": tree.feature_importances_.tolist(),
    }


def same_whatever_the_seed(make, X, y):
    """Of equally good splits scikit-learn takes one by its seed; only trees without any are used."""
    trees = [make(seed).fit(X, y) for seed in range(20)]
    for tree in trees:
        assert np.array_equal(tree.predict(X), trees[0].predict(X)), "ties"
        assert np.allclose(tree.feature_importances_, trees[0].feature_importances_), "ties"
    return trees[0]


def regressor(**options):
    make = lambda seed: DecisionTreeRegressor(random_state=seed, **options)
    tree = same_whatever_the_seed(make, exact, diabetes.target)
    return {
        "options": options,
        **facts(tree),
        "predictions": tree.predict(exact).tolist(),
        "text": export_text(tree, feature_names=names, decimals=3),
    }


def classifier(data, **options):
    make = lambda seed: DecisionTreeClassifier(random_state=seed, **options)
    tree = same_whatever_the_seed(make, data.data, data.target)
    return {
        "options": options,
        **facts(tree),
        "probabilities": tree.predict_proba(data.data).tolist(),
    }


# By hand: one feature, so that there is nothing to choose between.
X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.5]])
y = np.array(["a", "a", "b", "b", "a", "c"])
small = DecisionTreeClassifier().fit(X, y)
small_numbers = DecisionTreeRegressor(max_depth=2).fit(X, [1.0, 2.0, 2.5, 4.0, 8.0, -1.25])

json.dump(
    {
        "features": names,
        "regressor": [
            regressor(max_depth=2),
            regressor(max_depth=4, min_samples_leaf=10),
            regressor(min_samples_split=60, min_samples_leaf=15),
        ],
        "wine": classifier(load_wine(), max_depth=2, min_samples_leaf=5),
        "small": {"text": export_text(small, feature_names=["x"], class_names=["a", "b", "c"]), **facts(small)},
        "small_numbers": {"text": export_text(small_numbers, feature_names=["x"])},
        "accuracy": {
            name: DecisionTreeClassifier(random_state=0).fit(d.data, d.target).score(d.data, d.target)
            for name, d in [("iris", load_iris()), ("breast_cancer", load_breast_cancer())]
        },
    },
    sys.stdout,
    indent=None,
    separators=(",", ":"),
)
print()
