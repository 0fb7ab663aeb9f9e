//! The search for options that suit the data: which to try, how to compare them, when to stop.

mod halving;
mod learning_curve;
mod nested;
mod scoring;
mod space;
mod trial;

pub use self::halving::{Halving, Round};
pub use self::learning_curve::{
    LearningCurve, LearningSizes, LearningStep, classification_learning_curve,
    regression_learning_curve,
};
pub use self::nested::{
    NestedReport, OuterFold, judge_classifier, judge_regressor, nested_cross_validate_classifier,
    nested_cross_validate_regressor, search_classifier, search_regressor,
};
pub use self::scoring::{
    ClassificationScoring, RegressionScoring, Scoring, cross_validate_classifier,
    cross_validate_regressor,
};
pub use self::space::Space;
pub use self::trial::{Patience, SearchReport, Trial};
