//! Plots: what they hold, and where it is drawn.
//!
//! What is plotted is 300 wide and begins 60 from the left. With a title of one line it begins 51 from
//! the top; a square is 300 high, other plots are 220. All places below are computed by hand of that.

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_ml::ndarray::{Array1, array};
use orch_ml::plot::{Axis, Chart, Curves, Mark, Point, Series};
use orch_ml::{
    CalibrationBin, ClassLabel, ConfusionMatrix, FeatureImportance, LearningCurve, LearningStep,
    MlError, PermutationImportance, Plot, RegressionScoring, RocCurve, SearchReport, Trial,
    plot_calibration, plot_confusion_matrix, plot_importances, plot_learning_curve, plot_option,
    plot_permutation_importance, plot_precision_recall, plot_residuals, plot_roc, plot_trials,
    precision_recall_curve, roc_curve,
};
use roxmltree::Document;
use serde::{Deserialize, Serialize};

const TOP: f64 = 51.0;

/// Checks that the text is SVG that needs nothing from anywhere and holds no number that is none.
#[track_caller]
fn check_svg(svg: &str) -> Document<'_> {
    let document = Document::parse(svg).expect("the plot is well-formed");
    assert_eq!(document.root_element().tag_name().name(), "svg");
    assert_eq!(svg.matches("http").count(), 1, "only the name space");
    for node in document.descendants() {
        let name = node.tag_name().name();
        assert!(
            ["", "svg", "style", "rect", "g", "path", "text", "title"].contains(&name),
            "has <{name}>"
        );
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on") && name != "href", "has {name}");
            if name != "aria-label" {
                assert!(
                    !value.contains("NaN") && !value.contains("inf"),
                    "{name}={value}"
                );
            }
        }
    }
    document
}

/// The paths of a class, in order.
fn paths(plot: &Plot, class: &str) -> Vec<String> {
    let svg = plot.to_svg();
    let document = check_svg(&svg);
    let nodes = document.descendants();
    let paths = nodes.filter(|node| node.attribute("class") == Some(class));
    paths
        .filter_map(|node| node.attribute("d").map(str::to_owned))
        .collect()
}

/// All texts of a class, in order.
fn texts(plot: &Plot, class: &str) -> Vec<String> {
    let svg = plot.to_svg();
    let document = check_svg(&svg);
    let nodes = document.descendants();
    let texts = nodes.filter(|node| {
        node.has_tag_name(("http://www.w3.org/2000/svg", "text"))
            && node.attribute("class") == Some(class)
    });
    texts
        .filter_map(|node| node.text().map(str::to_owned))
        .collect()
}

fn curves(plot: &Plot) -> &Curves {
    match &plot.chart {
        Chart::Curves(curves) => curves,
        other => panic!("not curves: {other:?}"),
    }
}

fn places(series: &Series) -> Vec<(f64, f64)> {
    series
        .points
        .iter()
        .map(|point| (point.x, point.y))
        .collect()
}

/// Scores of four rows, for which scikit-learn's documentation of `roc_curve` and of
/// `precision_recall_curve` has the curves.
fn scores() -> ([bool; 4], [f64; 4]) {
    ([false, false, true, true], [0.1, 0.4, 0.35, 0.8])
}

#[test]
fn a_roc_curve_goes_through_its_rates() {
    let (is_positive, scores) = scores();
    let curve = roc_curve(&is_positive, &scores, None).unwrap();
    let plot = plot_roc(&[("forest", &curve)]).unwrap();
    let series = &curves(&plot).series;
    assert_eq!(
        places(&series[1]),
        [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]
    );
    assert_eq!(series[1].name, "forest (AUC 0.750)");
    // Half the way is 150; the bottom is at 51 + 300.
    assert_eq!(
        paths(&plot, "line"),
        [
            "M60 351L60 201L210 201L210 51L360 51",
            &legend_line(&plot, 1)
        ]
    );
    assert_eq!(paths(&plot, "reference")[0], "M60 351L360 51");
}

/// The line of an entry of the legend, which is below everything else.
fn legend_line(plot: &Plot, entry: usize) -> String {
    let below = TOP + if curves(plot).is_square { 300.0 } else { 220.0 };
    // Two lines for the texts of the axis, then a line for each entry, 4 above its base line.
    format!("M8 {}h30", below + 17.0 * (3 + entry) as f64)
}

#[test]
fn precision_keeps_its_height_up_to_the_next_recall() {
    let (is_positive, scores) = scores();
    let curve = precision_recall_curve(&is_positive, &scores, None).unwrap();
    let plot = plot_precision_recall(&[("forest", &curve)]).unwrap();
    let series = &curves(&plot).series;
    assert_eq!(
        places(&series[1]),
        [
            (1.0, 0.5),
            (1.0, 2.0 / 3.0),
            (0.5, 0.5),
            (0.5, 1.0),
            (0.0, 1.0)
        ]
    );
    // scikit-learn's documentation of `average_precision_score` has 0.83 for these.
    assert_eq!(series[1].name, "forest (AP 0.833)");
    assert_eq!(series[0].name, "chance (0.500)");
    assert_eq!(paths(&plot, "line")[0], "M360 201V151H210V201V51H60");
    assert_eq!(paths(&plot, "reference")[0], "M60 201L360 201");
}

#[test]
fn chance_is_not_shown_for_curves_of_different_shares() {
    let (is_positive, scores) = scores();
    let even = precision_recall_curve(&is_positive, &scores, None).unwrap();
    let rare = precision_recall_curve(&[true, false, false, false], &scores, None).unwrap();
    let plot = plot_precision_recall(&[("even", &even), ("rare", &rare)]).unwrap();
    assert_eq!(curves(&plot).series.len(), 2);
    assert!(
        curves(&plot)
            .series
            .iter()
            .all(|series| series.mark == Mark::Steps)
    );
}

#[test]
fn several_curves_differ_by_more_than_their_colour() {
    let (is_positive, scores) = scores();
    let curve = roc_curve(&is_positive, &scores, None).unwrap();
    let names: Vec<String> = (0..12).map(|i| format!("model {i}")).collect();
    let all: Vec<(&str, &RocCurve)> = names.iter().map(|name| (name.as_str(), &curve)).collect();
    let svg = plot_roc(&all).unwrap().to_svg();
    let document = check_svg(&svg);
    let classes = document
        .descendants()
        .filter_map(|node| node.attribute("class"));
    let mut of_lines: Vec<&str> = classes
        .filter(|class| class.starts_with("series c"))
        .collect();
    // Once for the line and once for its entry in the legend.
    assert_eq!(of_lines.len(), 24);
    of_lines.sort_unstable();
    of_lines.dedup();
    assert_eq!(of_lines.len(), 12, "colour and dashes together");
}

#[test]
fn long_curves_are_thinned_up_to_a_thousandth_of_an_axis() {
    let n_rows = 50_000;
    let is_positive: Vec<bool> = (0..n_rows).map(|row_idx| row_idx % 3 == 0).collect();
    let scores: Vec<f64> = (0..n_rows)
        .map(|row_idx| f64::from(row_idx) / 5e4)
        .collect();
    let curve = roc_curve(&is_positive, &scores, None).unwrap();
    let plot = plot_roc(&[("long", &curve)]).unwrap();
    let kept = places(&curves(&plot).series[1]);
    assert!((500..=2_001).contains(&kept.len()), "{} points", kept.len());
    assert_eq!((kept[0], kept[kept.len() - 1]), ((0.0, 0.0), (1.0, 1.0)));
    let far = |pair: &[(f64, f64)]| {
        let across = (pair[1].0 - pair[0].0).abs();
        across.max((pair[1].1 - pair[0].1).abs()) > 2e-3
    };
    assert!(!kept.windows(2).any(far));
    assert!(plot.to_svg().len() < 40_000);
}

#[test]
fn rows_of_one_kind_have_no_roc_curve() {
    let curve = roc_curve(&[true, true], &[0.2, 0.8], None).unwrap();
    let error = plot_roc(&[("forest", &curve)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`curve` is `forest`, of rows of one kind, expected one of positive and negative rows"
    );
    let error = plot_roc(&[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`number of curves` is 0, expected at least 1"
    );
}

fn matrix(targets: &[u32], guesses: &[u32], names: &[&str]) -> ConfusionMatrix {
    let classes: Vec<ClassLabel> = names.iter().map(|name| (*name).into()).collect();
    ConfusionMatrix::new(targets, guesses, &classes, None).unwrap()
}

#[test]
fn cells_have_the_count_and_its_share_of_the_row() {
    // Of ham 1 of 3 right, of spam 3 of 4.
    let matrix = matrix(
        &[0, 0, 0, 1, 1, 1, 1],
        &[0, 1, 1, 1, 1, 1, 0],
        &["ham", "spam"],
    );
    let plot = plot_confusion_matrix(&matrix).unwrap();
    assert_eq!(texts(&plot, "strong"), ["1", "2", "1", "3"]);
    assert_eq!(texts(&plot, "share"), ["33 %", "67 %", "25 %", "75 %"]);
    assert_eq!(texts(&plot, "head"), ["ham", "spam", "ham", "spam"]);
    assert_eq!(plot.notes, ["Right: 57.1 % of the rows."]);
    // From 100 on there are two columns of 134 in the 268 that are left, 60 high, below two lines for
    // the names; each cell leaves 1 free around it.
    assert_eq!(
        paths(&plot, "cell"),
        [
            "M101 67h132v58h-132z",
            "M235 67h132v58h-132z",
            "M101 127h132v58h-132z",
            "M235 127h132v58h-132z"
        ]
    );
    // What is right has a frame as well as its shade.
    assert_eq!(paths(&plot, "right").len(), 2);
    let svg = plot.to_svg();
    let shade = |row: f64| format!("fill-opacity=\"{:.3}\"", 0.55 * row);
    for share in [1.0 / 3.0, 2.0 / 3.0, 0.25, 0.75] {
        assert!(svg.contains(&shade(share)), "{share}");
    }
}

#[test]
fn names_that_do_not_fit_their_columns_are_numbered() {
    let names = ["a class with a long name", "b", "c"];
    let plot = plot_confusion_matrix(&matrix(&[0, 1, 2], &[0, 1, 2], &names)).unwrap();
    let heads = texts(&plot, "head");
    assert_eq!(heads[..3], ["1", "2", "3"]);
    assert_eq!(heads[3..], ["1 a cla…ame", "2 b", "3 c"]);
}

#[test]
fn classes_beyond_a_dozen_are_shown_as_one_and_absent_ones_not_at_all() {
    let names: Vec<String> = (0..16).map(|class| format!("c{class:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // Class 15 does not occur; the others have more rows the lower their number, all taken for 0.
    let targets: Vec<u32> = (0..15)
        .flat_map(|class| vec![class; 20 - class as usize])
        .collect();
    let plot = plot_confusion_matrix(&matrix(&targets, &vec![0; targets.len()], &names)).unwrap();
    let Chart::Cells(cells) = &plot.chart else {
        panic!("not cells")
    };
    assert_eq!(cells.names.len(), 12);
    assert_eq!(cells.names[11], "others (4)");
    assert_eq!(cells.counts.sum(), targets.len() as f64);
    // Classes 11 to 14: 9 + 8 + 7 + 6 rows.
    assert_eq!(cells.counts[[11, 0]], 30.0);
    assert_eq!(cells.share(11, 0), 1.0);
    assert_eq!(plot.notes[0], "4 classes with fewer rows are shown as one.");
    check_svg(&plot.to_svg());
}

#[test]
fn residuals_are_what_is_left_of_the_target() {
    let plot = plot_residuals(array![1.0, 2.0, 4.0].view(), array![2.0, 2.0, 3.0].view()).unwrap();
    let series = &curves(&plot).series;
    assert_eq!(places(&series[1]), [(2.0, -1.0), (2.0, 0.0), (3.0, 1.0)]);
    assert_eq!(
        plot.notes,
        ["3 rows. Residuals: mean 0, standard deviation 0.8165."]
    );
    // From 2 to 3 and from -1 to 1: circles of radius 3.6 around (60, 271), (60, 161) and (360, 51).
    let circle =
        |x: f64, y: f64| format!("M{} {y}a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0", x - 3.6);
    assert_eq!(
        paths(&plot, "dot")[..3],
        [
            circle(60.0, 271.0),
            circle(60.0, 161.0),
            circle(360.0, 51.0)
        ]
    );
    assert_eq!(paths(&plot, "reference")[0], "M60 161L360 161");
}

#[test]
fn of_many_residuals_the_farthest_are_always_shown() {
    let targets: Array1<f64> = (0..100_000)
        .map(|row_idx| f64::from(row_idx % 97))
        .collect();
    let mut guesses = Array1::from_elem(100_000, 48.0);
    guesses[77_777] = -1_000.0;
    let plot = plot_residuals(targets.view(), guesses.view()).unwrap();
    let dots = &curves(&plot).series[1].points;
    assert!((1_900..=2_000).contains(&dots.len()), "{}", dots.len());
    assert!(dots.iter().any(|dot| dot.x == -1_000.0));
    assert!(plot.notes[0].starts_with("100000 rows."));
    assert!(plot.notes[1].contains("the 200 that are farthest off"));
    let svg = plot.to_svg();
    check_svg(&svg);
    assert!(svg.len() < 50_000, "{}", svg.len());
}

#[test]
fn bad_rows_are_refused() {
    let message = |targets: &[f64], guesses: &[f64]| {
        let of = |values: &[f64]| Array1::from(values.to_vec());
        plot_residuals(of(targets).view(), of(guesses).view())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(&[1.0], &[]),
        "the predictions has length 0, expected 1"
    );
    assert_eq!(message(&[], &[]), "the table has no rows");
    assert_eq!(
        message(&[1.0, 2.0], &[0.0, f64::NAN]),
        "column `predictions` is NaN at row 1, expected a finite number"
    );
    // The difference overflows.
    assert!(message(&[1.5e308], &[-1.5e308]).contains("`residuals` is inf at row 0"));
}

#[test]
fn bins_with_more_rows_have_larger_dots() {
    let bins = [
        CalibrationBin {
            mean_probability: 0.25,
            positive_share: 0.5,
            n_rows: 100,
        },
        CalibrationBin {
            mean_probability: 0.75,
            positive_share: 0.8,
            n_rows: 25,
        },
    ];
    let plot = plot_calibration(&[("forest", &bins)]).unwrap();
    assert_eq!(places(&curves(&plot).series[1]), [(0.25, 0.5), (0.75, 0.8)]);
    assert_eq!(paths(&plot, "line")[0], "M135 201L285 111");
    // From 2.6 to 7 by the square root of the share of the largest bin: 7 and 4.8.
    let dots = paths(&plot, "dot");
    assert_eq!(dots[0], "M128 201a7 7 0 1 0 14 0a7 7 0 1 0 -14 0");
    assert_eq!(
        dots[1],
        "M280.2 111a4.8 4.8 0 1 0 9.6 0a4.8 4.8 0 1 0 -9.6 0"
    );
    assert_eq!(
        plot.notes,
        ["A larger dot stands for more rows: from 25 to 100."]
    );
    assert!(plot_calibration(&[("forest", &[])]).is_err());
}

fn importance(features: &[(&str, f64, f64)]) -> PermutationImportance {
    let features = features
        .iter()
        .map(|(feature, mean, sd)| FeatureImportance {
            feature: (*feature).to_owned(),
            mean: *mean,
            sd: *sd,
            losses: vec![mean - sd, mean + sd],
        });
    PermutationImportance {
        score: 0.9,
        features: features.collect(),
    }
}

#[test]
fn importances_come_with_the_largest_first_and_their_intervals() {
    let plot = plot_permutation_importance(&importance(&[("low", 0.1, 0.1), ("high", 0.4, 0.1)]));
    let plot = plot.unwrap();
    assert_eq!(texts(&plot, "name"), ["high", "low"]);
    // The axis is from 0 to 0.5, along 340 from 14 on: 0.4 ends at 286, 0.3 is 218, 0.5 is 354.
    assert!(
        paths(&plot, "bar")[0].starts_with("M14 48H286v9H14z"),
        "{:?}",
        paths(&plot, "bar")
    );
    assert_eq!(
        paths(&plot, "error-bar")[0],
        "M218 52.5H354M218 49.5v6M354 49.5v6"
    );
    assert!(plot.notes[0].starts_with("Shuffled 2 times each"));
}

#[test]
fn importances_below_zero_go_to_the_left_of_it() {
    let names = ["up", "down"].map(str::to_owned);
    let plot = plot_importances(&names, &[0.2, -0.2]).unwrap();
    // From -0.2 to 0.2: zero is in the middle, at 184.
    let bars = paths(&plot, "bar");
    assert!(bars[0].starts_with("M184 48H354v9H184z"), "{bars:?}");
    assert!(bars[1].starts_with("M14 82H184v9H14z"), "{bars:?}");
    assert!(paths(&plot, "error-bar").is_empty());
}

#[test]
fn of_many_features_the_twenty_most_important_are_shown() {
    let names: Vec<String> = (0..30).map(|feature| format!("f{feature}")).collect();
    let values: Vec<f64> = (0..30).map(f64::from).collect();
    let plot = plot_importances(&names, &values).unwrap();
    let shown = texts(&plot, "name");
    assert_eq!(
        (shown.len(), shown[0].as_str(), shown[19].as_str()),
        (20, "f29", "f10")
    );
    assert_eq!(plot.notes, ["And 10 less important features."]);
    let message = |values: &[f64]| plot_importances(&names, values).unwrap_err().to_string();
    assert_eq!(
        message(&[]),
        "the list of importances has length 0, expected 30"
    );
    assert!(plot_importances(&[], &[]).is_err());
}

#[test]
fn a_learning_curve_has_bands_around_its_means() {
    let step = |n_rows, train: [f64; 2], valid: [f64; 2]| LearningStep {
        n_rows,
        train_scores: train.to_vec(),
        valid_scores: valid.to_vec(),
    };
    let curve = LearningCurve {
        steps: vec![
            step(50, [1.0, 1.0], [0.2, 0.4]),
            step(100, [0.9, 0.7], [0.5, 0.5]),
        ],
        scoring: RegressionScoring::R2,
    };
    let plot = plot_learning_curve(&curve).unwrap();
    let series = &curves(&plot).series;
    assert_eq!(places(&series[0]), [(50.0, 1.0), (100.0, 0.8)]);
    let (low, high) = series[1].points[0].interval.unwrap();
    assert!((low - 0.2).abs() < 1e-12 && (high - 0.4).abs() < 1e-12);
    // From 0 to 100, and from 0.2 to 1: 0.3 is 7/8 of 220 below the top.
    assert_eq!(paths(&plot, "line")[1], "M210 243.5L360 188.5");
    assert_eq!(
        paths(&plot, "band")[1],
        "M210 216L360 188.5L360 188.5L210 271Z"
    );
    assert_eq!(curves(&plot).y.label, "r2 (more is better)");
    assert!(plot.notes[0].starts_with("Means of 2 folds"));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Options {
    depth: Option<usize>,
    trees: usize,
    share: Share,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Share {
    Sqrt,
    Fraction(f64),
}

fn search() -> SearchReport<Options, RegressionScoring> {
    let trial = |depth, trees, share, score: f64| Trial {
        options: Options {
            depth,
            trees,
            share,
        },
        scores: vec![score],
    };
    let trials = vec![
        trial(Some(3), 10, Share::Sqrt, 0.4),
        trial(None, 2_000, Share::Fraction(0.5), 0.8),
        trial(Some(10), 100, Share::Sqrt, f64::NAN),
        trial(Some(3), 20, Share::Fraction(0.5), 0.6),
    ];
    SearchReport::new(trials, RegressionScoring::R2).unwrap()
}

#[test]
fn trials_come_in_the_order_in_which_they_were_tried() {
    let search = search();
    let trees: Vec<usize> = search
        .in_order_tried()
        .map(|trial| trial.options.trees)
        .collect();
    assert_eq!(trees, [10, 2_000, 100, 20]);
    let plot = plot_trials(&search).unwrap();
    let series = &curves(&plot).series;
    assert_eq!(places(&series[0]), [(1.0, 0.4), (2.0, 0.8), (4.0, 0.6)]);
    assert_eq!(places(&series[1]), [(1.0, 0.4), (2.0, 0.8), (4.0, 0.8)]);
    assert_eq!(plot.notes, ["1 trial has no score."]);
    // From 0 to 4 trials, and from 0.4 to 0.8.
    assert_eq!(paths(&plot, "line")[0], "M135 271H210V51H360");
}

#[test]
fn a_search_keeps_the_order_of_its_trials_when_it_is_stored() {
    let search = search();
    let text = serde_json::to_string(&search)
        .unwrap()
        .replace("null]", "0.1]");
    let again: SearchReport<Options, RegressionScoring> = serde_json::from_str(&text).unwrap();
    let of = |search: &SearchReport<Options, RegressionScoring>| -> Vec<usize> {
        search
            .in_order_tried()
            .map(|trial| trial.options.trees)
            .collect()
    };
    assert_eq!(of(&again), of(&search));
    let damaged = text.replace("\"tried\":[1,", "\"tried\":[0,");
    assert_ne!(damaged, text);
    let error = serde_json::from_str::<SearchReport<Options, RegressionScoring>>(&damaged);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("expected each number below")
    );
}

#[test]
fn numbers_far_apart_go_by_orders_of_magnitude() {
    let plot = plot_option(&search(), "trees").unwrap();
    let x = &curves(&plot).x;
    assert_eq!((x.low, x.high), (10.0, 10_000.0));
    assert_eq!(x.place(100.0), Some(1.0 / 3.0));
    let series = &curves(&plot).series;
    assert_eq!(
        places(&series[0]),
        [(2_000.0, 0.8), (20.0, 0.6), (10.0, 0.4)]
    );
    assert_eq!(places(&series[1]), [(2_000.0, 0.8)], "the best");
}

#[test]
fn other_values_are_names_with_numbers_first_and_none_last() {
    let plot = plot_option(&search(), "depth").unwrap();
    let names = |plot: &Plot| texts(plot, "dim tick");
    assert_eq!(names(&plot)[5..], ["3", "10", "none"]);
    assert_eq!(
        places(&curves(&plot).series[0]),
        [(2.0, 0.8), (0.0, 0.6), (0.0, 0.4)]
    );
    let plot = plot_option(&search(), "share").unwrap();
    assert_eq!(names(&plot)[5..], ["Fraction 0.5", "Sqrt"]);
    let error = plot_option(&search(), "tree").unwrap_err();
    assert!(matches!(error, MlError::UnknownOption { .. }));
    assert!(
        error.to_string().contains("did you mean `trees`"),
        "{error}"
    );
}

#[test]
fn trials_without_any_score_are_no_plot() {
    let trial = Trial {
        options: 1,
        scores: vec![f64::NAN],
    };
    let search = SearchReport::new(vec![trial], RegressionScoring::R2).unwrap();
    let error = plot_trials(&search).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`number of trials with a score` is 0, expected at least 1"
    );
}

const HOSTILE: &str = "</title><script>alert('1')</script>\u{0}\u{202e}&\"";

#[test]
fn names_are_escaped_wherever_they_stand() {
    let (is_positive, scores) = scores();
    let curve = roc_curve(&is_positive, &scores, None).unwrap();
    let names = [HOSTILE, "b"];
    let features = names.map(str::to_owned);
    let plots = [
        plot_roc(&[(HOSTILE, &curve)]).unwrap().titled(HOSTILE),
        plot_confusion_matrix(&matrix(&[0, 1], &[1, 0], &names)).unwrap(),
        plot_importances(&features, &[0.1, 0.2]).unwrap(),
        Plot {
            title: String::new(),
            chart: Chart::Curves(Curves {
                x: Axis::named(HOSTILE, features.to_vec()),
                y: Axis::new(HOSTILE, 0.0, 1.0),
                is_square: false,
                series: vec![Series::new(HOSTILE, Mark::Dots, [(0.0, 0.5)])],
            }),
            notes: vec![HOSTILE.to_owned()],
        },
    ];
    for plot in plots {
        let svg = plot.to_svg();
        check_svg(&svg);
        assert!(svg.contains("&lt;"), "the name is there, in parts");
    }
}

#[test]
fn what_is_not_finite_is_left_out() {
    let interval = Some((f64::NEG_INFINITY, f64::NAN));
    let series = |mark| Series {
        name: "s".to_owned(),
        mark,
        points: vec![
            Point::new(f64::NAN, 0.5),
            Point {
                interval,
                ..Point::new(0.5, 0.5)
            },
            Point::new(0.7, f64::INFINITY),
        ],
    };
    for axis in [
        Axis::new("", 0.0, 1.0),
        Axis::new("", 1.0, 1.0),
        Axis::new("", f64::NAN, 0.0),
    ] {
        let plot = Plot {
            title: "t".to_owned(),
            chart: Chart::Curves(Curves {
                x: axis.clone(),
                y: axis,
                is_square: true,
                series: [
                    Mark::Line,
                    Mark::Steps,
                    Mark::LineAndDots,
                    Mark::Dots,
                    Mark::Reference,
                ]
                .map(series)
                .to_vec(),
            }),
            notes: Vec::new(),
        };
        check_svg(&plot.to_svg());
    }
}

/// Plots a curve of the four rows.
#[task]
fn plot_of_scores() -> Result<Plot, MlError> {
    let (is_positive, scores) = scores();
    plot_roc(&[("forest", &roc_curve(&is_positive, &scores, None)?)])
}

#[flow]
async fn plotted() -> Result<Plot, TaskError> {
    Ok(plot_of_scores().await?.into_inner())
}

#[orch_core::test]
async fn a_plot_is_the_result_of_a_task_and_survives_being_stored() {
    let run = TestEngine::new().run(plotted()).await;
    run.assert_completed();
    let plot = run.result.unwrap();
    let text = serde_json::to_string(&plot).unwrap();
    let again: Plot = serde_json::from_str(&text).unwrap();
    assert_eq!(again, plot);
    assert_eq!(again.to_svg(), plot.to_svg());
}
