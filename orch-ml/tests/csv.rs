//! Reading CSV: what pandas and the `csv` crate make of the same bytes, and what is refused.

use std::path::{Path, PathBuf};

use orch_ml::{Column, CsvOptions, MlError, Table, Value, drop_missing, parse_csv, read_csv};
use proptest::prelude::*;

fn parse(text: impl AsRef<[u8]>) -> Result<Table, MlError> {
    parse_csv(text.as_ref(), &CsvOptions::default())
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/data")
        .join(name)
}

fn cells(table: &Table) -> Vec<Vec<String>> {
    let rows = 0..table.n_rows();
    rows.map(|row| {
        table
            .columns()
            .map(|(_, column)| column.value(row).to_string())
            .collect()
    })
    .collect()
}

fn check_types(text: &str, expected: &[&str]) {
    let table = parse(text).unwrap();
    let types: Vec<&str> = table
        .columns()
        .map(|(_, column)| column.type_name())
        .collect();
    assert_eq!(types, expected, "{text:?}");
}

fn check_error(text: impl AsRef<[u8]>, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data.csv");
    std::fs::write(&file, text).unwrap();
    let error = read_csv(&file, &CsvOptions::default()).unwrap_err();
    let message = error
        .to_string()
        .replace(&*file.display().to_string(), "data.csv");
    assert_eq!(message, expected);
    assert!(!error.help().is_empty());
}

#[test]
fn penguins_are_read_as_pandas_reads_them() {
    // pandas 3.1.1: read_csv("penguins.csv").isna().sum(), .dropna(), .bill_length_mm.sum(),
    // .year.sum()
    let table = read_csv(&data("penguins.csv"), &CsvOptions::default()).unwrap();
    assert_eq!((table.n_rows(), table.n_columns()), (344, 8));
    let missing: Vec<usize> = table
        .columns()
        .map(|(_, column)| column.n_missing())
        .collect();
    assert_eq!(missing, [0, 0, 2, 2, 2, 2, 11, 0]);
    let types: Vec<&str> = table
        .columns()
        .map(|(_, column)| column.type_name())
        .collect();
    assert_eq!(
        types,
        [
            "text", "text", "float", "float", "integer", "integer", "text", "integer"
        ]
    );
    assert_eq!(drop_missing(&table).unwrap().n_rows(), 333);
    assert_eq!(table.to_vector("year").unwrap().sum(), 690_762.0);
}

#[test]
fn a_column_has_the_narrowest_type_that_holds_its_values() {
    check_types(
        "a,b,c,d\n1,1.5,true,x\n-2,1e3,False,1\n",
        &["integer", "float", "boolean", "text"],
    );
    check_types("a,b\n1,1\n2.5,x\n", &["float", "text"]);
    check_types("a,b\ntrue,1\n1,true\n", &["text", "text"]);
    check_types("a\n9223372036854775807\n", &["integer"]);
    check_types("a\n9223372036854775808\n", &["float"]);
    check_types("a,b\n,NA\nnan,null\n", &["float", "float"]);
    check_types("a,b\n 1 ,inf\n+2,-Infinity\n", &["integer", "float"]);
    check_types("a,b,c\n0x10,1_000,NAN\n", &["text", "text", "text"]);
}

#[test]
fn a_late_value_of_another_type_changes_the_whole_column() {
    let n_rows = 200_000;
    let mut text = String::from("a,b,c,d\n");
    for row in 0..n_rows {
        let late = row == n_rows / 2 + 7;
        let (a, b) = if late { ("x", "0.5") } else { ("12", "7") };
        let (c, d) = if late { ("", "NA") } else { ("true", "kiwi") };
        text.push_str(&format!("{a},{b},{c},{d}\n"));
    }
    let table = parse(&text).unwrap();
    assert_eq!(table.n_rows(), n_rows);
    let types: Vec<&str> = table
        .columns()
        .map(|(_, column)| column.type_name())
        .collect();
    assert_eq!(types, ["text", "float", "boolean", "text"]);
    assert_eq!(
        table.to_vector("b").unwrap().sum(),
        7.0 * (n_rows as f64 - 1.0) + 0.5
    );
    assert_eq!(
        table.column("a").unwrap().value(n_rows / 2 + 7),
        Value::Text("x")
    );
    assert_eq!(
        table.column("a").unwrap().value(n_rows - 1),
        Value::Text("12")
    );
    assert_eq!(table.drop_missing().n_rows(), n_rows - 1);
}

#[test]
fn the_missing_words_of_pandas_are_missing_also_in_quotes() {
    // pandas._libs.parsers.STR_NA_VALUES of pandas 3.1.1
    let words = [
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    ];
    for word in words {
        let table = parse(format!(
            "t,i,f,q\nx,1,1.5,y\n{word},{word},{word},\"{word}\"\n"
        ))
        .unwrap();
        for (name, column) in table.columns() {
            assert_eq!(column.value(1), Value::Missing, "{word:?} in {name}");
        }
        let types: Vec<&str> = table
            .columns()
            .map(|(_, column)| column.type_name())
            .collect();
        assert_eq!(types, ["text", "integer", "float", "text"]);
    }
    assert_eq!(
        parse("a\nna\n").unwrap().column("a").unwrap().value(0),
        Value::Text("na")
    );
}

#[test]
fn own_missing_words_may_be_numbers() {
    let options = CsvOptions {
        missing_words: vec!["-999".into()],
        ..CsvOptions::default()
    };
    let table = parse_csv(b"a,b,c\n-999,1.5,NA\n3,-999,x\n", &options).unwrap();
    assert_eq!(cells(&table), [["", "1.5", "NA"], ["3", "", "x"]]);
    assert_eq!(table.column("a").unwrap().type_name(), "integer");
}

#[test]
fn line_ends_marks_and_blank_lines_do_not_matter() {
    let plain = parse("a,b\n1,x\n2,y\n").unwrap();
    for text in [
        "a,b\n1,x\n2,y",
        "a,b\r\n1,x\r\n2,y\r\n",
        "a,b\r1,x\r2,y\r",
        "\u{feff}a,b\n1,x\n2,y\n",
        "\n\na,b\n\n1,x\n \t\n\r\n2,y\n\n\n",
        "a,b\n\"1\",\"x\"\n\n2,\"y\"\n  \n",
    ] {
        assert_eq!(parse(text).unwrap(), plain, "{text:?}");
    }
}

#[test]
fn quotes_hold_delimiters_line_ends_and_quotes() {
    let table = parse("a,b\n\"x,\"\"1\"\"\",\"two\nlines\"\n5\" pipe,z\n").unwrap();
    assert_eq!(
        cells(&table),
        [["x,\"1\"", "two\nlines"], ["5\" pipe", "z"]]
    );
}

#[test]
fn rows_with_quoted_line_ends_survive_being_cut_for_threads() {
    let mut text = String::from("id,text,size\n");
    for row in 0..60_000 {
        match row % 5 {
            0 => text.push_str(&format!("{row},\"line one\nline, two\n\",1.5\n")),
            1 => text.push_str(&format!("{row},5\" pipe,2.5\n")),
            2 => text.push('\n'),
            _ => text.push_str(&format!(
                "{row},plain text of some length to fill the file,3.5\n"
            )),
        }
    }
    let table = parse(&text).unwrap();
    assert_eq!(table.n_rows(), 48_000);
    let ids: Vec<f64> = (0..60_000)
        .filter(|row| row % 5 != 2)
        .map(f64::from)
        .collect();
    assert_eq!(table.to_vector("id").unwrap().to_vec(), ids);
    assert_eq!(
        table.to_vector("size").unwrap().sum(),
        12_000.0 * (1.5 + 2.5 + 3.5 + 3.5)
    );
    assert_eq!(
        table.column("text").unwrap().value(47_996),
        Value::Text("line one\nline, two\n")
    );
}

#[test]
fn chosen_columns_come_in_the_order_asked_for() {
    let columns = Some(vec!["c".to_owned(), "a".to_owned()]);
    let options = CsvOptions {
        columns,
        ..CsvOptions::default()
    };
    let table = parse_csv(b"a,b,c\n1,x,3\n", &options).unwrap();
    assert_eq!(table.column_names(), ["c", "a"]);
    assert_eq!(cells(&table), [["3", "1"]]);
}

#[test]
fn without_a_header_columns_are_numbered_from_one() {
    let options = CsvOptions {
        has_header: false,
        delimiter: b'\t',
        ..CsvOptions::default()
    };
    let table = parse_csv(b"1\t2\n3\t4\n", &options).unwrap();
    assert_eq!(table.column_names(), ["column_1", "column_2"]);
    assert_eq!(table.n_rows(), 2);
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    for text in ["a,b", "a,b\n", "a,b\n\n \n"] {
        let table = parse(text).unwrap();
        assert_eq!((table.n_rows(), table.n_columns()), (0, 2), "{text:?}");
        assert_eq!(drop_missing(&table).unwrap().n_rows(), 0);
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    check_error("", "`data.csv` is empty: it has no header and no rows");
    check_error(
        "\u{feff}\n \n",
        "`data.csv` is empty: it has no header and no rows",
    );
    check_error(
        "a,b\n1,2\n\n3,4,5\n",
        "`data.csv` line 4 has 3 cells, expected 2",
    );
    check_error("a,b\n1\n", "`data.csv` line 2 has 1 cells, expected 2");
    check_error(
        "a,b\n\"x\ny\",2\n\"3\",4,5\n",
        "`data.csv` line 4 has 3 cells, expected 2",
    );
    check_error(
        "a,b\r1,2\r1,2,3\r",
        "`data.csv` line 3 has 3 cells, expected 2",
    );
    check_error(
        "a,b\n1,\"x\n2,y\n",
        "`data.csv` line 2 opens a quote that is never closed",
    );
    check_error(
        b"a,b\n1,ok\n2,caf\xe9\n",
        "`data.csv` line 3, column `b`: `caf\u{fffd}` is not UTF-8",
    );
    check_error("a,b,a\n1,2,3\n", "column `a` occurs twice in `data.csv`");
}

#[test]
fn the_first_of_several_faults_is_reported_whatever_thread_meets_it() {
    let mut text = String::from("a,b\n");
    for row in 0..400_000 {
        text.push_str(if row == 250_000 || row == 399_000 {
            "1,2,3\n"
        } else {
            "1,2\n"
        });
    }
    check_error(&text, "`data.csv` line 250002 has 3 cells, expected 2");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let options = CsvOptions::default();
    let error = read_csv(Path::new("no/such.csv"), &options).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `no/such.csv`");
    assert!(std::error::Error::source(&error).is_some());
    let dir = tempfile::tempdir().unwrap();
    let error = read_csv(dir.path(), &options).unwrap_err();
    assert!(matches!(error, MlError::NotAFile { .. }), "{error}");
}

#[test]
fn an_unknown_column_is_answered_with_those_there_are() {
    let columns = Some(vec!["agee".to_owned()]);
    let options = CsvOptions {
        columns,
        ..CsvOptions::default()
    };
    let error = parse_csv(b"age,height\n1,2\n", &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `agee` is not in the table (did you mean `age`? its columns: `age`, `height`)"
    );
}

#[test]
fn a_delimiter_that_numbers_contain_is_refused() {
    for delimiter in [b'"', b'\n', b'.', b'1', b'e', 0xff] {
        let options = CsvOptions {
            delimiter,
            ..CsvOptions::default()
        };
        let error = parse_csv(b"a\n1\n", &options).unwrap_err();
        assert!(
            matches!(
                error,
                MlError::InvalidOption {
                    name: "delimiter",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_file_larger_than_one_piece_is_read_whole() {
    // More than two pieces of 1 MiB, so that threads read parts of their own.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("large.csv");
    let mut text = String::from("row,value,word\r\n");
    let words = ["apple", "pear", "fig"];
    for row in 0..300_000u64 {
        text.push_str(&format!(
            "{row},{}.25,{}\r\n",
            row * 7919 % 1000,
            words[row as usize % 3]
        ));
    }
    std::fs::write(&file, &text).unwrap();
    let table = read_csv(&file, &CsvOptions::default()).unwrap();
    assert_eq!(table, parse(&text).unwrap());
    assert_eq!(table.to_vector("row").unwrap().sum(), 299_999.0 * 150_000.0);
    let value: f64 = (0..300_000u64)
        .map(|row| (row * 7919 % 1000) as f64 + 0.25)
        .sum();
    assert_eq!(table.to_vector("value").unwrap().sum(), value);
    assert_eq!(
        table.column("word").unwrap().value(299_999),
        Value::Text("fig")
    );
    let Column::Text(text) = table.column("word").unwrap() else {
        panic!("not text")
    };
    assert_eq!(text.categories(), words);
}

/// The rows that the `csv` crate reads, ragged ones included.
fn oracle(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn as_text() -> CsvOptions {
    CsvOptions {
        has_header: false,
        missing_words: Vec::new(),
        ..CsvOptions::default()
    }
}

proptest! {
    /// Text with everything that needs quoting, written by the `csv` crate.
    #[test]
    fn what_the_csv_crate_writes_is_read_back(
        rows in (2usize..5).prop_flat_map(|width| {
            prop::collection::vec(prop::collection::vec("x[a-c ,\"\n\r]{0,6}", width), 1..40)
        })
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let table = parse_csv(&bytes, &as_text()).unwrap();
        prop_assert_eq!(cells(&table), rows);
    }

    /// Bytes that nobody wrote on purpose: stray quotes, lone carriage returns, ragged rows.
    #[test]
    fn any_text_is_read_as_the_csv_crate_reads_it_or_refused(text in "[ab,\"\n\r]{0,40}") {
        let expected = oracle(text.as_bytes());
        match parse_csv(text.as_bytes(), &as_text()) {
            Ok(table) => prop_assert_eq!(cells(&table), expected),
            Err(MlError::EmptyFile { .. }) => prop_assert!(expected.is_empty()),
            Err(MlError::RaggedRow { found, .. }) => {
                let width = expected[0].len();
                let ragged = expected.iter().find(|row| row.len() != width);
                prop_assert_eq!(ragged.map(Vec::len), Some(found));
            }
            // The `csv` crate closes an open quote at the end of the file without a word.
            Err(MlError::UnclosedQuote { .. }) => prop_assert!(text.contains('"')),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn floats_and_integers_survive_writing_and_reading(
        rows in prop::collection::vec((any::<f64>(), any::<i64>(), any::<bool>()), 1..60)
    ) {
        let mut text = String::from("f,i,b\n");
        for (float, integer, boolean) in &rows {
            text.push_str(&format!("{float:?},{integer},{boolean}\n"));
        }
        let table = parse(&text).unwrap();
        for (row, (float, integer, boolean)) in rows.iter().enumerate() {
            let value = |name| table.column(name).unwrap().value(row);
            match value("f") {
                Value::Missing => prop_assert!(float.is_nan()),
                Value::Float(read) => prop_assert_eq!(read.to_bits(), float.to_bits()),
                other => prop_assert!(false, "{other:?}"),
            }
            prop_assert_eq!(value("i"), Value::Integer(*integer));
            prop_assert_eq!(value("b"), Value::Boolean(*boolean));
        }
    }
}
