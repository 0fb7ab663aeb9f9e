//! Parts of a split as they are stored: the source's digest, the number of cuts, for each the digest
//! of the split and 0 for training or 1 for held out; then the data.

use std::io::{self, Write};

use orch_core::{BoxError, Digest, StoredForm};

use super::parts::{Cut, Side};
use super::{Origin, Test, Train, Valid};
use crate::dataset::{ClassificationDataset, Dataset};
use crate::frame::{FrameReader, FrameWriter};
use crate::table::Table;

const TRAIN: u8 = 0;
const HELD_OUT: u8 = 1;

fn write_origin(out: &mut dyn Write, origin: &Origin) -> io::Result<()> {
    let mut out = FrameWriter(out);
    out.list(std::iter::once(*origin.source.as_bytes()))?;
    out.count(origin.cuts.len())?;
    for cut in &origin.cuts {
        out.list(std::iter::once(*cut.split.as_bytes()))?;
        out.byte(match cut.side {
            Side::Train => TRAIN,
            Side::HeldOut => HELD_OUT,
        })?;
    }
    Ok(())
}

fn read_origin<'a>(what: &'static str, bytes: &'a [u8]) -> Result<(Origin, &'a [u8]), BoxError> {
    let mut reader = FrameReader::new(what, bytes);
    let source = read_digest(&mut reader)?;
    let mut cuts = Vec::new();
    for _ in 0..reader.count()? {
        let split = read_digest(&mut reader)?;
        let side = match reader.byte()? {
            TRAIN => Side::Train,
            HELD_OUT => Side::HeldOut,
            _ => return Err(reader.unreadable().into()),
        };
        cuts.push(Cut { split, side });
    }
    Ok((Origin { source, cuts }, reader.rest()))
}

fn read_digest(reader: &mut FrameReader<'_>) -> Result<Digest, BoxError> {
    let digest: Vec<[u8; 32]> = reader.list(1, |bytes| bytes)?;
    Ok(Digest::from_bytes(digest[0]))
}

macro_rules! stored_parts {
    ($($part:ident<$data:ident>, $form:literal;)*) => {$(
        impl StoredForm for $part<$data> {
            const FORM: &'static str = $form;

            fn write(&self, out: &mut dyn Write) -> io::Result<()> {
                write_origin(out, self.origin())?;
                (**self).write(out)
            }

            fn read(bytes: &[u8]) -> Result<Self, BoxError> {
                let (origin, bytes) = read_origin("part of a split", bytes)?;
                Ok(Self::new($data::read(bytes)?, origin))
            }
        }
    )*};
}

stored_parts! {
    Train<Table>, "orch-ml train table 1";
    Valid<Table>, "orch-ml valid table 1";
    Test<Table>, "orch-ml test table 1";
    Train<Dataset>, "orch-ml train dataset 1";
    Valid<Dataset>, "orch-ml valid dataset 1";
    Test<Dataset>, "orch-ml test dataset 1";
    Train<ClassificationDataset>, "orch-ml train classification dataset 1";
    Valid<ClassificationDataset>, "orch-ml valid classification dataset 1";
    Test<ClassificationDataset>, "orch-ml test classification dataset 1";
}
