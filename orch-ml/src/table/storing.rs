//! Tables as they are stored.
//!
//! The numbers of rows and of columns; then for each column its name, its kind, and its values:
//!
//! | Kind | Values |
//! |---|---|
//! | 0 float | 8 bytes each |
//! | 1 integer | 8 bytes each, all present |
//! | 2 integer | a byte each, 1 for present; then 8 bytes each, 0 for missing |
//! | 3 boolean | a byte each: 0, 1, or 2 for missing |
//! | 4 text | the number of distinct texts, these in order of first appearance, 4 bytes each |
//! | 5 timestamp | as 1, microseconds since the beginning of 1970 in UTC |
//! | 6 timestamp | as 2, the same |
//!
//! A kind that a build does not know makes the bytes unreadable to it, which is a miss.

use std::io::{self, Write};
use std::sync::Arc;

use orch_core::{BoxError, StoredForm};

use super::column::MISSING_CODE;
use super::{Column, Table, TextColumn, Validity};
use crate::frame::{FrameReader, FrameWriter};

const FLOAT: u8 = 0;
const INTEGER: u8 = 1;
const INTEGER_WITH_GAPS: u8 = 2;
const BOOLEAN: u8 = 3;
const TEXT: u8 = 4;
const TIMESTAMP: u8 = 5;
const TIMESTAMP_WITH_GAPS: u8 = 6;

const MISSING_FLAG: u8 = 2;

/// Raw columns: written and read about as fast as memory is copied. Of equal tables, the forms are
/// equal.
impl StoredForm for Table {
    const FORM: &'static str = "orch-ml table 1";

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = FrameWriter(out);
        out.count(self.n_rows)?;
        out.count(self.columns.len())?;
        for (name, column) in self.columns() {
            out.text(name)?;
            write_column(&mut out, column)?;
        }
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<Self, BoxError> {
        let mut reader = FrameReader::new("table", bytes);
        let n_rows = reader.count()?;
        let n_columns = reader.count()?;
        let mut columns = Vec::new();
        for _ in 0..n_columns {
            columns.push((reader.text()?, read_column(&mut reader, n_rows)?));
        }
        reader.finish()?;
        let mut table = Table::new(columns)?;
        table.n_rows = n_rows;
        Ok(table)
    }
}

fn write_column(out: &mut FrameWriter<'_>, column: &Column) -> io::Result<()> {
    match column {
        Column::Float(values) => {
            out.byte(FLOAT)?;
            out.floats(values.iter())
        }
        Column::Integer(values, validity) => {
            write_integers(out, values, validity, INTEGER, INTEGER_WITH_GAPS)
        }
        Column::Timestamp(values, validity) => {
            write_integers(out, values, validity, TIMESTAMP, TIMESTAMP_WITH_GAPS)
        }
        Column::Boolean(values, validity) => {
            out.byte(BOOLEAN)?;
            out.list(values.iter().enumerate().map(|(row_idx, value)| {
                let is_valid = validity.is_valid(row_idx);
                [if is_valid {
                    u8::from(*value)
                } else {
                    MISSING_FLAG
                }]
            }))
        }
        Column::Text(text) => {
            out.byte(TEXT)?;
            let (codes, categories) = text.in_order_of_appearance();
            out.count(categories.len())?;
            out.texts(&categories)?;
            out.codes(codes.into_iter())
        }
    }
}

fn write_integers(
    out: &mut FrameWriter<'_>,
    values: &[i64],
    validity: &Validity,
    kind: u8,
    kind_with_gaps: u8,
) -> io::Result<()> {
    let Some(flags) = validity.flags() else {
        out.byte(kind)?;
        return out.list(values.iter().map(|value| value.to_le_bytes()));
    };
    out.byte(kind_with_gaps)?;
    out.list(flags.iter().map(|valid| [u8::from(*valid)]))?;
    // What lies under a gap is not part of the value.
    let value = |(value, valid): (&i64, &bool)| if *valid { *value } else { 0 };
    out.list(values.iter().zip(flags).map(value).map(i64::to_le_bytes))
}

fn read_column(reader: &mut FrameReader<'_>, n_rows: usize) -> Result<Column, BoxError> {
    Ok(match reader.byte()? {
        FLOAT => Column::Float(Arc::new(reader.floats(n_rows)?)),
        kind @ (INTEGER | TIMESTAMP) => {
            let values = Arc::new(reader.list(n_rows, i64::from_le_bytes)?);
            match kind {
                INTEGER => Column::Integer(values, Validity::default()),
                _ => Column::Timestamp(values, Validity::default()),
            }
        }
        kind @ (INTEGER_WITH_GAPS | TIMESTAMP_WITH_GAPS) => {
            let validity = Validity::new(reader.list(n_rows, |[valid]| valid == 1)?);
            let values = Arc::new(reader.list(n_rows, i64::from_le_bytes)?);
            match kind {
                INTEGER_WITH_GAPS => Column::Integer(values, validity),
                _ => Column::Timestamp(values, validity),
            }
        }
        BOOLEAN => {
            let flags = reader.list(n_rows, |[flag]: [u8; 1]| flag)?;
            let values = flags.iter().map(|flag| *flag == 1).collect();
            let valid = flags.iter().map(|flag| *flag != MISSING_FLAG).collect();
            Column::Boolean(Arc::new(values), Validity::new(valid))
        }
        TEXT => {
            let n_categories = reader.count()?;
            let categories = reader.texts(n_categories)?;
            let codes = reader.codes(n_rows)?;
            let is_known = |code: &u32| *code == MISSING_CODE || (*code as usize) < n_categories;
            if !codes.iter().all(is_known) {
                return Err(reader.unreadable().into());
            }
            Column::Text(Arc::new(TextColumn::from_parts(codes, categories)))
        }
        _ => return Err(reader.unreadable().into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Timestamp;

    fn form(table: &Table) -> Vec<u8> {
        let mut bytes = Vec::new();
        table.write(&mut bytes).unwrap();
        bytes
    }

    fn table() -> Table {
        Table::new([
            ("size", Column::Float(Arc::new(vec![1.5, f64::NAN, -0.0]))),
            ("rooms", vec![Some(3i64), None, Some(-1)].into()),
            ("floors", vec![1i64, 2, 3].into()),
            ("garden", vec![Some(true), None, Some(false)].into()),
            ("town", vec![Some("Oslo"), None, Some("Rome")].into()),
            (
                "sold",
                vec![1, 0, -1]
                    .into_iter()
                    .map(Timestamp::from_microseconds)
                    .collect::<Vec<_>>()
                    .into(),
            ),
            (
                "paid",
                vec![None, Some(Timestamp::from_microseconds(i64::MAX)), None].into(),
            ),
        ])
        .unwrap()
    }

    #[test]
    fn a_table_reads_back_as_it_was() {
        let table = table();
        let read = Table::read(&form(&table)).unwrap();
        assert_eq!(read, table);
        let float = |table: &Table| match table.column("size").unwrap() {
            Column::Float(values) => values[2].is_sign_negative(),
            other => panic!("{other:?}"),
        };
        assert_eq!(float(&read), float(&table));

        let no_columns = Table {
            n_rows: 7,
            ..Table::default()
        };
        assert_eq!(Table::read(&form(&no_columns)).unwrap(), no_columns);
    }

    #[test]
    fn equal_tables_have_equal_forms() {
        let filtered = |towns: [&str; 3], keep: [bool; 3]| {
            let column: Column = towns.to_vec().into();
            Table::new([("town", column)])
                .unwrap()
                .filter(&keep)
                .unwrap()
        };
        // The one has an unused text, and its codes are others.
        let a = filtered(["Oslo", "Rome", "Bonn"], [false, true, true]);
        let b = filtered(["Rome", "Bonn", "Bonn"], [true, true, false]);
        assert_eq!(a, b);
        assert_eq!(form(&a), form(&b));

        let gap = |under: i64| {
            let flags = Validity::new(vec![true, false]);
            Table::new([("n", Column::Integer(Arc::new(vec![1, under]), flags))]).unwrap()
        };
        assert_eq!(gap(5), gap(6));
        assert_eq!(form(&gap(5)), form(&gap(6)));

        let nan = |bits: u64| {
            let values = vec![f64::from_bits(bits)];
            Table::new([("x", Column::Float(Arc::new(values)))]).unwrap()
        };
        let quiet = nan(0x7ff8_0000_0000_0001);
        assert_eq!(form(&quiet), form(&nan(0xfff8_0000_0000_0000)));
    }

    #[test]
    fn the_first_form_stays_readable() {
        // Written out by hand from the description above.
        let mut bytes = Vec::new();
        for number in [2u64, 2, 1] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(b"a\x00");
        bytes.extend_from_slice(&1.0f64.to_le_bytes());
        bytes.extend_from_slice(&2.0f64.to_le_bytes());
        bytes.extend_from_slice(&1u64.to_le_bytes());
        bytes.extend_from_slice(b"b\x04");
        bytes.extend_from_slice(&1u64.to_le_bytes());
        bytes.extend_from_slice(&2u64.to_le_bytes());
        bytes.extend_from_slice(b"xy");
        bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        let expected = Table::new([
            ("a", vec![1.0, 2.0].into()),
            ("b", vec![None, Some("xy")].into()),
        ])
        .unwrap();
        assert_eq!(Table::read(&bytes).unwrap(), expected);
        assert_eq!(form(&expected), bytes);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = form(&table());
        for len in 0..bytes.len() {
            assert!(Table::read(&bytes[..len]).is_err(), "{len}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Table::read(&longer).is_err());
        let mut huge = bytes;
        huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(Table::read(&huge).is_err());
    }
}
