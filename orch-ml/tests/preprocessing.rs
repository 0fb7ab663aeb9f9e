//! Steps of preprocessing against scikit-learn and pandas.

#[path = "preprocessing/bins.rs"]
mod bins;
#[path = "preprocessing/categories.rs"]
mod categories;
#[path = "preprocessing/combining.rs"]
mod combining;
#[path = "preprocessing/dates.rs"]
mod dates;
#[path = "preprocessing/flows.rs"]
mod flows;
#[path = "reference/preprocessing.rs"]
mod reference;
#[path = "preprocessing/scaling.rs"]
mod scaling;
#[path = "preprocessing/together.rs"]
mod together;

use orch_ml::{
    BinStrategy, KBinsDiscretizer, MinMaxScaler, OneHotEncoder, OneHotOptions, OrdinalEncoder,
    OrdinalOptions, Pca, PcaOptions, RobustScaler, StandardScaler,
};

use crate::reference::data;

const SIZES: [&str; 4] = [
    "bill_length_mm",
    "bill_depth_mm",
    "flipper_length_mm",
    "body_mass_g",
];
const WORDS: [&str; 3] = ["species", "island", "sex"];
const PETALS: [&str; 4] = ["sepal_length", "sepal_width", "petal_length", "petal_width"];

fn body() -> Vec<String> {
    data("diabetes").column_names()[..10].to_vec()
}

fn check_round_trip<T>(value: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value);
}

#[test]
fn what_was_fitted_is_read_back_as_it_was() {
    let (iris, penguins) = (data("iris"), data("penguins"));
    check_round_trip(&StandardScaler::fit(&penguins, &SIZES).unwrap());
    check_round_trip(&MinMaxScaler::fit(&penguins, &SIZES, (0.0, 1.0)).unwrap());
    check_round_trip(&RobustScaler::fit(&penguins, &SIZES, (0.25, 0.75)).unwrap());
    check_round_trip(&OneHotEncoder::fit(&iris, &["species"], &OneHotOptions::default()).unwrap());
    check_round_trip(&OrdinalEncoder::fit(&penguins, &WORDS, &OrdinalOptions::default()).unwrap());
    check_round_trip(&KBinsDiscretizer::fit(&iris, &PETALS, 4, BinStrategy::Uniform).unwrap());
    let pca = Pca::fit(&iris, &PETALS, &PcaOptions::default()).unwrap();
    check_round_trip(&pca);
    let mut json = serde_json::to_value(&pca).unwrap();
    json["mean"].as_array_mut().unwrap().pop();
    let error = serde_json::from_value::<Pca>(json).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the list of means has length 3, expected 4")
    );
}
