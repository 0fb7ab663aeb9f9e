//! Records and datasets as they are stored.
//!
//! Records: the numbers of rows and of features, the names of the features, then the values row by
//! row, 8 bytes each. A dataset: its records, the name of the target, 8 bytes for each target. For
//! classes: its records, the name of the target, the number of classes, for each 0 and
//! 8 bytes, 1 and a text, or 2 and 0 or 1 for a boolean, then 4 bytes for each target.

use std::io::{self, Write};

use ndarray::{Array1, Array2};
use orch_core::{BoxError, StoredForm};

use super::classes::RawClassificationDataset;
use super::{ClassLabel, ClassificationDataset, Dataset, Records};
use crate::frame::{FrameReader, FrameWriter};

fn write_records(out: &mut FrameWriter<'_>, records: &Records) -> io::Result<()> {
    out.count(records.n_rows())?;
    out.count(records.n_features())?;
    out.texts(records.feature_names())?;
    out.floats(records.values().iter())
}

fn read_records(reader: &mut FrameReader<'_>) -> Result<Records, BoxError> {
    let (n_rows, n_features) = (reader.count()?, reader.count()?);
    let names = reader.texts(n_features)?;
    let n_values = n_rows.checked_mul(n_features);
    let n_values = n_values.ok_or_else(|| reader.unreadable())?;
    let values = reader.floats(n_values)?;
    let values = Array2::from_shape_vec((n_rows, n_features), values)?;
    Ok(Records::new(values, names)?)
}

impl StoredForm for Records {
    const FORM: &'static str = "orch-ml records 1";

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write_records(&mut FrameWriter(out), self)
    }

    fn read(bytes: &[u8]) -> Result<Self, BoxError> {
        let mut reader = FrameReader::new("set of records", bytes);
        let records = read_records(&mut reader)?;
        reader.finish()?;
        Ok(records)
    }
}

impl StoredForm for Dataset {
    const FORM: &'static str = "orch-ml dataset 1";

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = FrameWriter(out);
        write_records(&mut out, &self.records)?;
        out.text(&self.target_name)?;
        out.floats(self.targets.iter())
    }

    fn read(bytes: &[u8]) -> Result<Self, BoxError> {
        let mut reader = FrameReader::new("dataset", bytes);
        let records = read_records(&mut reader)?;
        let target_name = reader.text()?;
        let targets = reader.floats(records.n_rows())?;
        reader.finish()?;
        Ok(Dataset::from_records(
            records,
            Array1::from_vec(targets),
            target_name,
        )?)
    }
}

const INTEGER: u8 = 0;
const TEXT: u8 = 1;
const BOOLEAN: u8 = 2;

impl StoredForm for ClassificationDataset {
    const FORM: &'static str = "orch-ml classification dataset 1";

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = FrameWriter(out);
        write_records(&mut out, self.records())?;
        out.text(self.target_name())?;
        out.count(self.classes().len())?;
        for class in self.classes() {
            match class {
                ClassLabel::Boolean(flag) => {
                    out.byte(BOOLEAN)?;
                    out.byte(u8::from(*flag))?;
                }
                ClassLabel::Integer(number) => {
                    out.byte(INTEGER)?;
                    out.list(std::iter::once(number.to_le_bytes()))?;
                }
                ClassLabel::Text(text) => {
                    out.byte(TEXT)?;
                    out.text(text)?;
                }
            }
        }
        out.codes(self.targets().iter().copied())
    }

    fn read(bytes: &[u8]) -> Result<Self, BoxError> {
        let mut reader = FrameReader::new("dataset", bytes);
        let records = read_records(&mut reader)?;
        let target_name = reader.text()?;
        let mut classes = Vec::new();
        for _ in 0..reader.count()? {
            classes.push(match reader.byte()? {
                INTEGER => {
                    let number = reader.list(1, i64::from_le_bytes)?;
                    ClassLabel::Integer(number[0])
                }
                TEXT => ClassLabel::Text(reader.text()?),
                BOOLEAN => ClassLabel::Boolean(reader.byte()? == 1),
                _ => return Err(reader.unreadable().into()),
            });
        }
        let targets = reader.codes(records.n_rows())?;
        reader.finish()?;
        let raw = RawClassificationDataset {
            records,
            targets,
            classes,
            target_name,
        };
        Ok(raw.try_into()?)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn form<T: StoredForm>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.write(&mut bytes).unwrap();
        bytes
    }

    #[track_caller]
    fn check_refuses_damage<T: StoredForm>(bytes: &[u8]) {
        for len in 0..bytes.len() {
            assert!(T::read(&bytes[..len]).is_err(), "{len}");
        }
        assert!(T::read(&[bytes, &[0]].concat()).is_err());
        let huge = [&u64::MAX.to_le_bytes(), &bytes[8..]].concat();
        assert!(T::read(&huge).is_err());
    }

    fn records() -> Records {
        Records::new(array![[1.0, -0.0], [2.5, 1e300], [0.1, 3.0]], ["a", "b"]).unwrap()
    }

    #[test]
    fn a_dataset_reads_back_as_it_was() {
        let dataset = Dataset::from_records(records(), array![1.0, 2.0, 3.0], "y").unwrap();
        let bytes = form(&dataset);
        assert_eq!(Dataset::read(&bytes).unwrap(), dataset);
        check_refuses_damage::<Dataset>(&bytes);
        let bytes = form(&records());
        assert_eq!(Records::read(&bytes).unwrap(), records());
        check_refuses_damage::<Records>(&bytes);
    }

    #[test]
    fn so_does_one_for_classes_of_any_kind() {
        let labels: [Vec<ClassLabel>; 3] = [
            vec!["x".into(), "y".into(), "x".into()],
            vec![7.into(), (-1).into(), 7.into()],
            vec![true.into(), false.into(), "maybe".into()],
        ];
        for labels in labels {
            let dataset = ClassificationDataset::new(records(), labels, "kind").unwrap();
            let bytes = form(&dataset);
            assert_eq!(ClassificationDataset::read(&bytes).unwrap(), dataset);
            check_refuses_damage::<ClassificationDataset>(&bytes);
        }
    }
}
