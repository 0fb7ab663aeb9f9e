"""Models of scikit-learn fitted to weighted rows and classes, for tests/weights.rs.

scikit-learn 1.9.1, numpy 2.4.6. Run: python weights.py > weights.json
"""

import json
import sys
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

warnings.filterwarnings("error")
iris, wine, cancer, diabetes = load_iris(), load_wine(), load_breast_cancer(), load_diabetes()


def weights_of(n_rows):
    """Of all sizes, some of them 0; the test makes the same."""
    rows = np.arange(n_rows)
    return np.where(rows % 13 == 5, 0.0, 0.25 + (rows * 37 % 101) / 50)


def scaled(data):
    return StandardScaler().fit_transform(data.data)


def lines(model, X, y, weights=None):
    model.fit(X, y, sample_weight=weights)
    return {"coefficients": model.coef_.tolist(), "intercepts": model.intercept_.tolist()}


def logistic(**options):
    return LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000, **options)


def svm(**options):
    return LinearSVC(dual=True, tol=1e-10, max_iter=10_000_000, random_state=0, **options)


def bayes(model, X, y):
    model.fit(X, y, sample_weight=weights_of(len(y)))
    return {
        "priors": np.exp(model.class_log_prior_).tolist(),
        "probabilities": np.exp(model.feature_log_prob_).tolist(),
        "predictions": model.predict_proba(X).tolist(),
    }


def same_whatever_the_seed(make, X, y, weights):
    trees = [make(seed).fit(X, y, sample_weight=weights) for seed in range(20)]
    for tree in trees:
        assert np.allclose(tree.predict(X), trees[0].predict(X), rtol=1e-12), "ties"
        assert np.allclose(tree.feature_importances_, trees[0].feature_importances_), "ties"
    return trees[0]


def tree_classifier(X, y, weights, **options):
    make = lambda seed: DecisionTreeClassifier(random_state=seed, **options)
    tree = same_whatever_the_seed(make, X, y, weights)
    return {
        "n_leaves": int(tree.get_n_leaves()),
        "importances": tree.feature_importances_.tolist(),
        "probabilities": tree.predict_proba(X).tolist(),
    }


# Features with at most 255 distinct values, for which bins are exact.
names = [n for n, column in zip(diabetes.feature_names, diabetes.data.T) if len(set(column)) <= 255]
exact = diabetes.data[:, [diabetes.feature_names.index(name) for name in names]]
make = lambda seed: DecisionTreeRegressor(random_state=seed, max_depth=4, min_samples_leaf=5)
regressor = same_whatever_the_seed(make, exact, diabetes.target, weights_of(442))

gaussian = GaussianNB().fit(wine.data, wine.target, sample_weight=weights_of(178))
json.dump(
    {
        "logistic": lines(logistic(), scaled(cancer), cancer.target, weights_of(569)),
        "logistic_balanced": lines(
            logistic(class_weight="balanced"), scaled(cancer), cancer.target, weights_of(569)
        ),
        "logistic_three": lines(logistic(), scaled(iris), iris.target, weights_of(150)),
        "logistic_by_class": lines(logistic(class_weight={0: 3.0, 2: 0.5}), scaled(iris), iris.target),
        "svm": lines(svm(), scaled(iris), iris.target, weights_of(150)),
        # As weights of rows: liblinear gives a class its weight only in its own line against the others.
        "svm_balanced": lines(
            svm(), scaled(wine), wine.target, compute_sample_weight("balanced", wine.target)
        ),
        "svm_hinge": lines(
            svm(loss="hinge", class_weight={0: 4.0}), scaled(cancer), cancer.target, weights_of(569)
        ),
        "gaussian": {
            "priors": gaussian.class_prior_.tolist(),
            "means": gaussian.theta_.tolist(),
            "variances": gaussian.var_.tolist(),
            "predictions": gaussian.predict_proba(wine.data).tolist(),
        },
        "multinomial": bayes(MultinomialNB(), wine.data, wine.target),
        "multinomial_half": bayes(MultinomialNB(alpha=0.5, fit_prior=False), wine.data, wine.target),
        "bernoulli": bayes(BernoulliNB(binarize=2.0), wine.data, wine.target),
        "tree": tree_classifier(wine.data, wine.target, weights_of(178), max_depth=3),
        "tree_balanced": tree_classifier(
            wine.data[:150],
            wine.target[:150],
            None,
            class_weight="balanced",
            max_depth=3,
        ),
        "tree_regressor": {
            "features": names,
            "n_leaves": int(regressor.get_n_leaves()),
            "importances": regressor.feature_importances_.tolist(),
            "predictions": regressor.predict(exact).tolist(),
        },
    },
    sys.stdout,
    separators=(",", ":"),
)
