//! Writes rows to a folder: one file a writer and run.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::take_record_batch;
use async_trait::async_trait;

use crate::changelog::{Batch, RowKind, row_kinds};
use crate::connectors::{Sink, SinkMode, SinkWriter, WriteRequest};
use crate::error::{Error, Result};
use crate::formats::{Encoded, Encoder, Format};

/// So many bytes are gathered before they are handed to the system.
const BUFFER_BYTES: usize = 1 << 20;

/// A folder to write to.
pub(super) struct FileSink {
    path: PathBuf,
    format_name: String,
    format: Arc<dyn Format>,
    single: bool,
}

impl FileSink {
    pub(super) fn new(
        path: PathBuf,
        format_name: String,
        format: Box<dyn Format>,
        single: bool,
    ) -> Self {
        Self {
            path,
            format_name,
            format: format.into(),
            single,
        }
    }
}

#[async_trait]
impl Sink for FileSink {
    fn mode(&self) -> SinkMode {
        if self.format.is_changelog() {
            SinkMode::Retract
        } else {
            SinkMode::Append
        }
    }

    fn guarantee(&self) -> &'static str {
        "at least once; a failed run leaves its files"
    }

    fn is_single(&self) -> bool {
        self.single
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        let WriteRequest { instance, .. } = request;
        std::fs::create_dir_all(&self.path).map_err(|e| cannot_write(&self.path, e))?;
        let name = format!(
            "part-{instance}-{:016x}.{}",
            fastrand::u64(..),
            self.format_name
        );
        Ok(Box::new(FileWriter {
            path: self.path.join(name),
            file: None,
            header: self.format.file_header(),
            encoder: self.format.encoder(),
            encoded: Encoded::default(),
            buffer: Vec::new(),
        }))
    }
}

/// Writes one file, which appears with the first row.
struct FileWriter {
    path: PathBuf,
    file: Option<File>,
    header: Vec<u8>,
    encoder: Box<dyn Encoder>,
    encoded: Encoded,
    buffer: Vec<u8>,
}

impl FileWriter {
    fn encode(&mut self, rows: &RecordBatch, deleted: &BooleanArray) -> Result<()> {
        self.encoded.bytes.clear();
        self.encoded.ends.clear();
        self.encoder
            .encode_changes(rows, deleted, &mut self.encoded)
            .map_err(|bad| {
                Error::data(crate::connectors::bad_row_text(
                    &self.path.display().to_string(),
                    &bad,
                ))
            })?;
        self.buffer
            .reserve(self.encoded.bytes.len() + self.encoded.ends.len());
        for payload in self.encoded.payloads() {
            self.buffer.extend_from_slice(payload);
            self.buffer.push(b'\n');
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_out()
        } else {
            Ok(())
        }
    }

    fn write_out(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = match &mut self.file {
            Some(file) => file.write_all(&self.buffer),
            None => File::create_new(&self.path).and_then(|mut file| {
                file.write_all(&self.header)?;
                file.write_all(&self.buffer)?;
                self.file = Some(file);
                Ok(())
            }),
        };
        written.map_err(|e| cannot_write(&self.path, e))?;
        self.buffer.clear();
        Ok(())
    }
}

#[async_trait]
impl SinkWriter for FileWriter {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        if batch.weights.is_none() {
            let none = BooleanArray::from(vec![false; batch.num_rows()]);
            return self.encode(&batch.rows, &none);
        }
        let kinds = row_kinds(batch, None)?;
        let indices = crate::connectors::row_indices(kinds.iter().map(|(row, _)| *row));
        let deleted = kinds
            .iter()
            .map(|(_, kind)| Some(matches!(kind, RowKind::Delete | RowKind::UpdateBefore)));
        let deleted: BooleanArray = deleted.collect();
        self.encode(&take_record_batch(&batch.rows, &indices)?, &deleted)
    }

    async fn flush(&mut self) -> Result<()> {
        self.write_out()?;
        match &self.file {
            Some(file) => file.sync_data().map_err(|e| cannot_write(&self.path, e)),
            None => Ok(()),
        }
    }
}

fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    Error::external(format!("{}: cannot be written: {error}", path.display()))
        .with_help(
            "check the option 'path', the permissions of the folder and the space on its disk",
        )
        .caused_by(error)
}
