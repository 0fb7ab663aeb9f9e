"""Reference values of the tests of metrics, model comparison and model inspection.

Python 3.11, numpy 2.4.6, pandas 3.1.1, scipy 1.17.1, scikit-learn 1.9.1.
Run it in this folder: `python evaluation.py > evaluation.json`

NaN is written as null and infinity as "inf". McNemar's test, the expected calibration error and
adjusted R2 are in none of these packages: they are computed here from their formulas. The numbers of
the bootstrap and of permutation importance depend on the random numbers of orch_core, so that
generator is written out here, too.
"""

import json
import math
import warnings

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics as m
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.calibration import calibration_curve
from sklearn.cluster import KMeans
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LinearRegression

warnings.filterwarnings("ignore")
DATA = "../../../examples/data/"


def plain(value):
    """Numbers as JSON has them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        value = float(value)
        if math.isnan(value):
            return None
        return "inf" if math.isinf(value) else value
    return value


# --- regression ---------------------------------------------------------------------------------


def regression(targets, predictions, weights=None, n_features=2):
    t, p, w = np.array(targets, float), np.array(predictions, float), weights
    r2 = m.r2_score(t, p, sample_weight=w)
    n = len(t)
    adjusted = 1 - (1 - r2) * (n - 1) / (n - n_features - 1) if n > n_features + 1 else math.nan
    return {
        "targets": t,
        "predictions": p,
        "weights": w,
        "n_features": n_features,
        "expected": {
            "r2": r2,
            "adjusted_r2": adjusted,
            "explained_variance": m.explained_variance_score(t, p, sample_weight=w),
            "mae": m.mean_absolute_error(t, p, sample_weight=w),
            "median_absolute_error": m.median_absolute_error(t, p, sample_weight=w),
            "mse": m.mean_squared_error(t, p, sample_weight=w),
            "rmse": m.root_mean_squared_error(t, p, sample_weight=w),
            "mape": m.mean_absolute_percentage_error(t, p, sample_weight=w),
            "pinball_0.1": m.mean_pinball_loss(t, p, sample_weight=w, alpha=0.1),
            "pinball_0.5": m.mean_pinball_loss(t, p, sample_weight=w, alpha=0.5),
            "pinball_0.9": m.mean_pinball_loss(t, p, sample_weight=w, alpha=0.9),
        },
    }


def regression_cases():
    rng = np.random.default_rng(1)
    t = np.round(rng.normal(50, 20, 30), 3)
    p = np.round(t + rng.normal(2, 8, 30), 3)
    w = np.round(rng.uniform(0, 3, 30), 2)
    w[[3, 17]] = 0
    return [
        regression(t, p),
        regression(t, p, w, 4),
        # The median lies between two errors, with weights and without.
        regression([1, 2, 3, 4], [2, 4, 6, 9]),
        regression([1, 2, 3, 4], [2, 4, 6, 9], [1, 1, 2, 0]),
        regression([1, 2, 3, 4], [2, 4, 6, 9], [2, 0, 0, 2]),
        regression([1, 2, 3, 4, 7], [1, 2, 3, 9, 7], [1, 2, 3, 4, 5]),
        regression([2.0], [3.0]),
        regression([2, 2, 2, 2], [2, 2, 2, 2]),
        regression([2, 2, 2, 2], [3, 3, 3, 3]),
        regression([2, 2, 2, 2], [3, 1, 3, 3]),
        regression([1, 5, 9, 4], [4, 4, 4, 4]),
        regression([0, 5, 9, 0], [0, 4, 7, 1], [1, 2, 1, 0.5]),
    ]


# --- classes ------------------------------------------------------------------------------------


def classes(targets, predictions, n_classes, weights=None):
    t, p, w, labels = np.array(targets), np.array(predictions), weights, list(range(n_classes))
    occur = sorted(set(targets) | set(predictions))
    expected = {
        "counts": m.confusion_matrix(t, p, labels=labels, sample_weight=w).astype(float),
        "accuracy": m.accuracy_score(t, p, sample_weight=w),
        "balanced_accuracy": m.balanced_accuracy_score(t, p, sample_weight=w),
        "matthews": m.matthews_corrcoef(t, p, sample_weight=w),
        "occur": occur,
    }
    for name in ["unweighted", "linear", "quadratic"]:
        cost = None if name == "unweighted" else name
        expected["kappa_" + name] = m.cohen_kappa_score(
            t, p, weights=cost, labels=labels, sample_weight=w
        )
    for beta in [0.0, 0.5, 1.0, 2.0]:
        for average in ["each", "macro", "micro", "weighted"]:
            found = m.precision_recall_fscore_support(
                t, p, beta=beta, average=None if average == "each" else average, sample_weight=w
            )
            if beta == 1.0:
                expected[f"precision_{average}"] = found[0]
                expected[f"recall_{average}"] = found[1]
            expected[f"f_{beta}_{average}"] = found[2]
    return {
        "targets": t,
        "predictions": p,
        "n_classes": n_classes,
        "weights": w,
        "expected": expected,
    }


def class_cases():
    rng = np.random.default_rng(2)
    t = rng.integers(0, 4, 40)
    p = np.where(rng.uniform(size=40) < 0.6, t, rng.integers(0, 4, 40))
    w = np.round(rng.uniform(0, 2, 40), 2)
    return [
        # Of class 1: TP 3, FP 2, FN 1; TN 4.
        classes([1, 1, 1, 0, 0, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0, 0, 0], 2),
        classes(t.tolist(), p.tolist(), 4),
        classes(t.tolist(), p.tolist(), 4, w),
        # Class 2 is absent from the targets, class 1 from the predictions, class 3 from both.
        classes([0, 0, 1, 1, 0, 4], [0, 2, 2, 0, 0, 4], 5),
        classes([0, 0, 1, 1, 0, 4], [0, 2, 2, 0, 0, 4], 5, [1, 0, 2, 3, 0.5, 0.25]),
        # Everything is predicted to be one class; everything is one class.
        classes([0, 1, 2, 1, 0, 2, 2], [1] * 7, 3),
        classes([1, 1, 1, 1], [1, 0, 1, 1], 2),
        classes([1, 1], [1, 1], 2),
        classes([0], [0], 1),
        classes([0], [1], 2),
    ]


# --- probabilities of several classes -----------------------------------------------------------


def probabilities(targets, rows, weights=None):
    t, p, w = np.array(targets), np.array(rows), weights
    labels = list(range(p.shape[1]))
    one_hot = np.eye(p.shape[1], dtype=int)[t]
    scores = p if len(labels) > 2 else None
    expected = {
        "log_loss": m.log_loss(t, p, labels=labels, sample_weight=w),
        "brier_score": m.brier_score_loss(t, p, labels=labels, sample_weight=w),
    }
    for average in ["macro", "weighted"]:
        expected["ap_" + average] = m.average_precision_score(
            one_hot, p, average=average, sample_weight=w
        )
        expected["auc_" + average] = m.roc_auc_score(
            t if scores is not None else one_hot,
            p,
            multi_class="ovr",
            labels=labels if scores is not None else None,
            average=average,
            sample_weight=w,
        )
    return {"targets": t, "probabilities": p, "weights": w, "expected": expected}


def probability_cases():
    rng = np.random.default_rng(3)
    t = rng.integers(0, 3, 25)
    p = rng.dirichlet([1, 1, 1], 25) * 0.6 + np.eye(3)[t] * 0.4
    p = np.round(p, 1)
    p[:, 2] = np.round(1 - p[:, 0] - p[:, 1], 1).clip(0)
    p /= p.sum(axis=1, keepdims=True)
    w = np.round(rng.uniform(0, 2, 25), 2)
    w[4] = 0
    two = np.round(rng.uniform(size=12), 1)
    two = np.column_stack([1 - two, two])
    return [
        probabilities(t, p),
        probabilities(t, p, w),
        probabilities([0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1], two),
        probabilities([0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1], two, np.arange(12.0)),
        # Class 2 has no rows.
        probabilities([0, 1, 1, 0], [[0.5, 0.2, 0.3], [0.1, 0.8, 0.1], [0.5, 0.5, 0], [1, 0, 0]]),
    ]


# --- scores of one class ------------------------------------------------------------------------


def ranking(is_positive, scores, weights=None):
    t, s, w = np.array(is_positive, bool), np.array(scores, float), weights
    fpr, tpr, roc_thresholds = m.roc_curve(
        t, s, pos_label=True, sample_weight=w, drop_intermediate=False
    )
    precision, recall, thresholds = m.precision_recall_curve(
        t, s, pos_label=True, sample_weight=w, drop_intermediate=False
    )
    return {
        "is_positive": t,
        "scores": s,
        "weights": w,
        "expected": {
            "fpr": fpr,
            "tpr": tpr,
            "roc_thresholds": roc_thresholds,
            "precision": precision,
            "recall": recall,
            "thresholds": thresholds,
            "roc_auc": m.roc_auc_score(t, s, sample_weight=w),
            "average_precision": m.average_precision_score(
                t, s, pos_label=True, sample_weight=w
            ),
            "area": m.auc(recall, precision),
        },
    }


def ranking_cases():
    rng = np.random.default_rng(4)
    t = rng.uniform(size=30) < 0.4
    s = np.round(t * 0.5 + rng.normal(size=30), 1)
    w = np.round(rng.uniform(0, 2, 30), 2)
    w[[0, 8]] = 0
    return [
        ranking(t, s),
        ranking(t, s, w),
        ranking([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]),
        ranking([0, 1, 0, 1, 1], [0.5] * 5),
        ranking([0, 1, 0, 1, 1], [0.5] * 5, [1, 2, 3, 0, 1]),
        ranking([1, 1, 1], [0.1, 0.7, 0.7]),
        ranking([0, 0, 0], [0.1, 0.7, 0.7]),
        ranking([1], [0.3]),
        ranking([0, 1], [0.9, 0.1]),
        # A score that only a row without weight has is no threshold.
        ranking([0, 1, 1, 0], [0.1, 0.2, 0.3, 0.4], [1, 2, 0, 1]),
    ]


# --- calibration --------------------------------------------------------------------------------


def calibration(is_positive, probs, n_bins, strategy):
    t, p = np.array(is_positive, bool), np.array(probs, float)
    share, mean = calibration_curve(t, p, n_bins=n_bins, strategy=strategy, pos_label=True)
    edges = np.linspace(0, 1, n_bins + 1)
    if strategy == "quantile":
        edges = np.percentile(p, edges * 100)
    sizes = np.bincount(np.searchsorted(edges[1:-1], p), minlength=n_bins)
    sizes = sizes[sizes > 0]
    return {
        "is_positive": t,
        "probabilities": p,
        "n_bins": n_bins,
        "strategy": strategy,
        "expected": {
            "share": share,
            "mean": mean,
            "n_rows": sizes,
            "error": float(np.sum(sizes * np.abs(share - mean)) / len(p)),
        },
    }


def calibration_cases():
    rng = np.random.default_rng(5)
    # Many of these lie on the edges of bins.
    p = np.round(rng.beta(0.7, 0.9, 60), 1)
    t = rng.uniform(size=60) < p**1.5
    cases = [
        calibration(t, p, n_bins, strategy)
        for n_bins in [1, 5, 10]
        for strategy in ["uniform", "quantile"]
    ]
    cases.append(calibration([1, 0, 1], [0.5, 0.5, 0.5], 4, "quantile"))
    cases.append(calibration([1], [1.0], 3, "uniform"))
    # 0.4 is on an edge only if quantiles are rounded as numpy does.
    edge = [0.7, 0.4, 0.4, 0.4, 0.8, 0.8, 0.1]
    cases.append(calibration([1, 0, 1, 0, 1, 1, 0], edge, 6, "quantile"))
    return cases


# --- clusters -----------------------------------------------------------------------------------


def cluster_cases():
    rng = np.random.default_rng(6)
    values = np.round(np.vstack([rng.normal(c, 1.5, (8, 2)) for c in [0, 3, 7]]), 3)
    weights = np.round(rng.uniform(0, 2, 24), 2)
    fits = []
    for w in [None, weights]:
        fit = KMeans(3, n_init=5, random_state=0).fit(values, sample_weight=w)
        clusters = fit.labels_
        fits.append(
            {
                "values": values,
                "clusters": clusters,
                "centers": fit.cluster_centers_,
                "weights": w,
                "inertia": fit.inertia_,
            }
        )
    alone = np.array([0] * 8 + [1] * 8 + [5] * 7 + [9])
    same = np.array([[1.0, 1], [1, 1], [1, 1], [1, 1]])
    silhouettes = [
        {
            "values": v,
            "clusters": c,
            "samples": m.silhouette_samples(v, c),
            "score": m.silhouette_score(v, c),
        }
        for v, c in [(values, fits[0]["clusters"]), (values, alone), (same, np.array([0, 0, 1, 1]))]
    ]
    a, b = rng.integers(0, 4, 50), rng.integers(0, 3, 50)
    b = np.where(rng.uniform(size=50) < 0.5, a % 3, b)
    pairs = [
        (a, b),
        ([0, 0, 1, 1], [0, 1, 0, 1]),
        ([0, 0, 1, 1], [7, 7, 3, 3]),
        ([0, 0, 1, 2], [0, 0, 1, 1]),
        ([0, 0, 0], [0, 1, 2]),
        ([4], [9]),
    ]
    rand = [{"targets": x, "clusters": y, "index": m.adjusted_rand_score(x, y)} for x, y in pairs]
    return {"fits": fits, "silhouettes": silhouettes, "rand": rand}


# --- tests of two models ------------------------------------------------------------------------


def mcnemar(b, c):
    n = b + c
    exact = min(2 * stats.binom.cdf(min(b, c), n, 0.5), 1.0)
    corrected = (abs(b - c) - 1) ** 2 / n
    return {
        "only_first": b,
        "only_second": c,
        "exact": exact,
        "statistic": corrected,
        "corrected": stats.chi2.sf(corrected, 1),
    }


def pair(first, second):
    t = stats.ttest_rel(first, second)
    w = stats.wilcoxon(first, second)
    return {
        "first": first,
        "second": second,
        "t": t.statistic,
        "t_p": t.pvalue,
        "rank_statistic": w.statistic,
        "rank_p": w.pvalue,
    }


def comparison_cases():
    rng = np.random.default_rng(7)
    pairs = []
    # Exact; exact with ties and zeros; normal with ties; normal.
    for n, digits in [(3, 3), (10, 3), (50, 6), (12, 1), (13, 0), (30, 1), (60, 6), (200, 1)]:
        first = np.round(rng.normal(0.3, 1, n), digits)
        second = np.round(rng.normal(0, 1, n), digits)
        pairs.append(pair(first, second))
    pairs.append(pair(np.arange(40.0) + np.linspace(0, 1, 40), np.arange(40.0) - 1.5))
    return {
        "mcnemar": [mcnemar(*c) for c in [(3, 9), (9, 3), (5, 5), (0, 4), (1, 0), (40, 61), (300, 212)]],
        "pairs": pairs,
    }


# --- the random numbers of orch_core ------------------------------------------------------------

MASK = (1 << 64) - 1


def split_mix(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


class Rng:
    """xoshiro256++ seeded by SplitMix64, as `orch_core::Rng` promises."""

    def __init__(self, seed, stream):
        _, mixed = split_mix(stream ^ 0x6F726368)
        mixer, self.state = mixed ^ seed, []
        for _ in range(4):
            mixer, value = split_mix(mixer)
            self.state.append(value)

    def next(self):
        def rotate(x, k):
            return ((x << k) | (x >> (64 - k))) & MASK

        s = self.state
        result = (rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        return result

    def below(self, bound):
        product = self.next() * bound
        if (product & MASK) < bound:
            threshold = (-bound & MASK) % bound
            while (product & MASK) < threshold:
                product = self.next() * bound
        return product >> 64

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def resamples(n_rows, n_resamples, seed):
    for resample in range(n_resamples):
        rng = Rng(seed, (0x626F6F74 << 32) | resample)
        yield [rng.below(n_rows) for _ in range(n_rows)]


def bootstrap_cases():
    rng = np.random.default_rng(8)
    t = np.round(rng.normal(10, 3, 20), 2)
    first = np.round(t + rng.normal(0, 1.0, 20), 2)
    second = np.round(t + rng.normal(0.4, 1.3, 20), 2)
    n_resamples, confidence, seed = 400, 0.9, 11
    ends = [100 * (1 - confidence) / 2, 100 * (1 + confidence) / 2]
    r2, gaps = [], []
    for rows in resamples(20, n_resamples, seed):
        r2.append(m.r2_score(t[rows], first[rows]))
        one = m.mean_absolute_error(t[rows], first[rows])
        gaps.append(one - m.mean_absolute_error(t[rows], second[rows]))
    gaps = np.array(gaps)
    rarer = min(np.sum(gaps <= 0), np.sum(gaps >= 0)) + 1
    # A class of which a resample may have no row: the AUC is not defined there.
    is_positive = np.array([1, 0, 0, 0, 0, 1])
    scores = np.array([0.9, 0.2, 0.4, 0.6, 0.1, 0.5])
    aucs = [m.roc_auc_score(is_positive[rows], scores[rows]) for rows in resamples(6, 50, 3)]
    aucs = np.array(aucs)
    defined = aucs[~np.isnan(aucs)]
    return {
        "targets": t,
        "first": first,
        "second": second,
        "n_resamples": n_resamples,
        "confidence": confidence,
        "seed": seed,
        "r2": [m.r2_score(t, first), *np.percentile(r2, ends), np.std(r2, ddof=1)],
        "difference": [
            m.mean_absolute_error(t, first) - m.mean_absolute_error(t, second),
            *np.percentile(gaps, ends),
            min(2 * rarer / (n_resamples + 1), 1.0),
        ],
        "is_positive": is_positive.astype(bool),
        "scores": scores,
        "auc": [*np.percentile(defined, [2.5, 97.5]), int(np.isnan(aucs).sum())],
    }


# --- models looked into -------------------------------------------------------------------------


class Formula(RegressorMixin, BaseEstimator):
    """3 a + a b - 2 c; d is not used."""

    def fit(self, x, y):
        self.fitted_ = True
        return self

    def predict(self, x):
        return 3 * x[:, 0] + x[:, 0] * x[:, 1] - 2 * x[:, 2]


class ClassFormula(ClassifierMixin, BaseEstimator):
    """Of three classes: softmax of a, b and 0.3."""

    def fit(self, x, y):
        self.classes_ = np.arange(3)
        return self

    def predict_proba(self, x):
        powers = np.exp(np.column_stack([x[:, 0], x[:, 1], np.full(len(x), 0.3)]))
        return powers / powers.sum(axis=1, keepdims=True)


def inspection_cases():
    rng = np.random.default_rng(9)
    x = np.round(rng.normal(size=(30, 4)), 3)
    x[:, 1] = np.round(x[:, 1])
    y = np.round(Formula().predict(x) + rng.normal(0, 0.5, 30), 3)
    w = np.round(rng.uniform(0, 2, 30), 2)
    model, of_classes = Formula().fit(x, y), ClassFormula().fit(x, y)

    seed, n_repeats = 5, 3
    score = m.r2_score(y, model.predict(x))
    losses = []
    for feature in range(4):
        for repeat in range(n_repeats):
            stream = (0x7065726D << 32) | (feature * n_repeats + repeat)
            column = x[:, feature].tolist()
            Rng(seed, stream).shuffle(column)
            shuffled = x.copy()
            shuffled[:, feature] = column
            losses.append(score - m.r2_score(y, model.predict(shuffled)))
    losses = np.array(losses).reshape(4, n_repeats)

    dependence = []
    for feature, points, ends, weights in [
        (0, 100, (0.05, 0.95), None),
        (0, 7, (0.05, 0.95), w),
        (0, 5, (0.0, 1.0), None),
        (1, 100, (0.05, 0.95), w),
        (2, 4, (0.2, 0.5), None),
        (3, 3, (0.05, 0.95), None),
    ]:
        settings = {"percentiles": ends, "grid_resolution": points, "kind": "average"}
        found = partial_dependence(
            model, x, [feature], method="brute", sample_weight=weights, **settings
        )
        classes = partial_dependence(
            of_classes, x, [feature], method="brute", sample_weight=weights, **settings
        )
        dependence.append(
            {
                "feature": feature,
                "n_points": points,
                "low": ends[0],
                "high": ends[1],
                "is_weighted": weights is not None,
                "values": found["grid_values"][0],
                "predictions": found["average"][0],
                "probabilities": classes["average"].T,
            }
        )

    diabetes = pd.read_csv(DATA + "diabetes.csv")
    features = diabetes.drop(columns="target")
    fit = LinearRegression().fit(features, diabetes.target)
    found = partial_dependence(fit, features, ["bmi"], kind="average", grid_resolution=10)
    return {
        "records": x,
        "targets": y,
        "weights": w,
        "seed": seed,
        "n_repeats": n_repeats,
        "score": score,
        "losses": losses,
        "mean": losses.mean(axis=1),
        "sd": losses.std(axis=1),
        "dependence": dependence,
        "diabetes": {"values": found["grid_values"][0], "predictions": found["average"][0]},
    }


# --- slices -------------------------------------------------------------------------------------


def slice_cases():
    """Rules of thumb for penguins, which the test writes again."""
    p = pd.read_csv(DATA + "penguins.csv", na_values=["NA"])
    p = p.dropna(subset=["bill_length_mm", "flipper_length_mm", "body_mass_g"])
    names = np.array(["Adelie", "Chinstrap", "Gentoo"])
    guess = np.where(p.bill_length_mm < 43, 0, np.where(p.flipper_length_mm < 205, 1, 2))
    probs = np.where(np.eye(3)[guess] == 1, 0.8, 0.1)
    truth = np.searchsorted(names, p.species)
    mass = 50.0 * p.flipper_length_mm.to_numpy() - 5800

    def of(rows):
        t, g, q = truth[rows], guess[rows], probs[rows]
        macro = m.precision_recall_fscore_support(t, g, average="macro")
        all_there = len(set(t)) == 3
        y, guessed = p.body_mass_g.to_numpy()[rows], mass[rows]
        return {
            "n_rows": int(rows.sum()),
            "accuracy": m.accuracy_score(t, g),
            "balanced_accuracy": m.balanced_accuracy_score(t, g),
            "macro_precision": macro[0],
            "macro_recall": macro[1],
            "macro_f1": macro[2],
            "log_loss": m.log_loss(t, q, labels=[0, 1, 2]),
            "brier_score": m.brier_score_loss(t, q, labels=[0, 1, 2]),
            "roc_auc": m.roc_auc_score(t, q, multi_class="ovr") if all_there else math.nan,
            "r2": m.r2_score(y, guessed),
            "mae": m.mean_absolute_error(y, guessed),
            "median_absolute_error": m.median_absolute_error(y, guessed),
            "rmse": m.root_mean_squared_error(y, guessed),
            "mape": m.mean_absolute_percentage_error(y, guessed),
        }

    slices = {}
    for column in ["island", "sex", "year"]:
        values = p[column]
        found = [(str(v), of((values == v).to_numpy())) for v in sorted(values.dropna().unique())]
        if values.isna().any():
            found.append((None, of(values.isna().to_numpy())))
        slices[column] = [{"slice": name, **numbers} for name, numbers in found]
    everything = of(np.ones(len(p), bool))
    everything["average_precision"] = m.average_precision_score(np.eye(3, dtype=int)[truth], probs)
    everything["matthews_correlation"] = m.matthews_corrcoef(truth, guess)
    everything["cohen_kappa"] = m.cohen_kappa_score(truth, guess)
    weighted = m.precision_recall_fscore_support(truth, guess, average="weighted")
    everything["weighted"] = weighted[:3]
    everything["counts"] = m.confusion_matrix(truth, guess).astype(float)
    return {"slices": slices, "all": everything}


print(
    json.dumps(
        plain(
            {
                "regression": regression_cases(),
                "classes": class_cases(),
                "probabilities": probability_cases(),
                "ranking": ranking_cases(),
                "calibration": calibration_cases(),
                "clusters": cluster_cases(),
                "comparison": comparison_cases(),
                "bootstrap": bootstrap_cases(),
                "inspection": inspection_cases(),
                "slices": slice_cases(),
            }
        ),
        separators=(",", ":"),
        allow_nan=False,
    )
)
