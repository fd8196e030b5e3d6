//! A file of records being read: bytes into a buffer, records out of it, rows out of those.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::atomic::Ordering;

use super::listing::{Entry, cannot_read, check_readable};
use crate::clock::{Clock as _, SystemClock};
use crate::connectors::{BadRecord, BadRows, SourceMetrics, bad_row_text};
use crate::error::{Error, Result};
use crate::formats::{Decoded, Decoder, Framer, decode_each};

/// Size of the read buffer; a longer record makes it grow for as long as it is in there.
const BUFFER_BYTES: usize = 1 << 20;

/// A record longer than this is taken for a file that has no records.
const MAX_RECORD_BYTES: usize = 1 << 30;

/// How far a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The byte after the last record returned.
    pub(super) offset: u64,
    /// Lines before it.
    lines: u64,
}

impl Position {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (offset, lines) = text.split_once(':')?;
        Some(Self {
            offset: offset.parse().ok()?,
            lines: lines.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.offset, self.lines)
    }
}

/// A file being read. The records of `buffer[start..end]` that are whole are in `frames`, counted from `start`.
pub(super) struct RecordFile {
    entry: Entry,
    file: File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where `buffer[start]` is in the file.
    position: Position,
    frames: Vec<Range<usize>>,
    /// The first frame not returned yet.
    next: usize,
    /// Bytes after `start` that the frames take up.
    used: usize,
    is_at_end: bool,
}

impl RecordFile {
    pub(super) fn open(entry: &Entry, position: Position) -> Result<Self> {
        check_readable(&entry.path)?;
        let opened = File::open(&entry.path).and_then(|mut file| {
            // A pipe has no other place.
            if position.offset > 0 {
                file.seek(SeekFrom::Start(position.offset))?;
            }
            Ok(file)
        });
        let file = opened.map_err(|e| cannot_read(&entry.path, e))?;
        // A small file needs no more than its size, and one byte to see its end.
        let left =
            usize::try_from(entry.size.saturating_sub(position.offset)).unwrap_or(BUFFER_BYTES);
        Ok(Self {
            entry: entry.clone(),
            file,
            buffer: vec![0; BUFFER_BYTES.min(left + 1)],
            start: 0,
            end: 0,
            position,
            frames: Vec::new(),
            next: 0,
            used: 0,
            is_at_end: false,
        })
    }

    /// A file whose first record is no row: the decoder takes it, wherever reading begins.
    pub(super) fn open_headed(
        entry: &Entry,
        position: Position,
        framer: &dyn Framer,
        decoder: &mut dyn Decoder,
    ) -> Result<Self> {
        let mut file = Self::open(entry, Position::default())?;
        while file.frames.is_empty() && !file.is_at_end {
            file.read_on(framer)?;
        }
        if let Some(frame) = file.frames.first() {
            let record = &file.buffer[file.start..][frame.clone()];
            decoder
                .header(record)
                .map_err(|bad| Error::data(bad_row_text(&format!("{}:1", entry.name), &bad)))?;
            file.next = 1;
        }
        match position.offset {
            0 => Ok(file),
            _ => Self::open(entry, position),
        }
    }

    /// Whether records have been read that were not returned.
    pub(super) fn has_records(&self) -> bool {
        self.next < self.frames.len()
    }

    /// Whether all records have been returned.
    pub(super) fn has_ended(&self) -> bool {
        self.frames.is_empty() && self.is_at_end
    }

    /// Reads on until there are records or the file ends.
    ///
    /// # Errors
    /// A file that cannot be read, or has no records.
    pub(super) fn fill(&mut self, framer: &dyn Framer, metrics: &SourceMetrics) -> Result<()> {
        while !self.has_records() && !self.has_ended() {
            let bytes = self.read_on(framer)?;
            metrics.bytes.fetch_add(bytes, Ordering::Relaxed);
            metrics.done.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The next rows of the records that have been read, and where they stand.
    pub(super) fn rows(
        &mut self,
        decoder: &mut dyn Decoder,
        batch_rows: usize,
        metrics: &SourceMetrics,
        kept: Option<&mut BadRows>,
    ) -> Result<(Decoded, String)> {
        let first = self.next;
        let last = (first + batch_rows.max(1)).min(self.frames.len());
        let bytes = &self.buffer[self.start..];
        let payloads: Vec<&[u8]> = self.frames[first..last]
            .iter()
            .map(|frame| &bytes[frame.clone()])
            .collect();
        let place = |payload: usize| {
            let frame = self.frames.get(first + payload).map_or(0, |f| f.start);
            format!(
                "{}:{}",
                self.entry.name,
                self.position.lines + newlines(&bytes[..frame]) + 1
            )
        };
        let decoded = match &kept {
            None => decoder.decode(&payloads),
            Some(_) => decode_each(decoder, &payloads),
        };
        let decoded = decoded.map_err(|bad| {
            Error::data(bad_row_text(&place(bad.payload), &bad))
                .with_help("correct the row, or skip such rows with the format's option 'ignore-parse-errors' = 'true'")
        })?;
        for bad in &decoded.skipped {
            metrics.bad_row(&place(bad.payload), bad);
        }
        if let Some(kept) = kept {
            for bad in &decoded.skipped {
                let place = place(bad.payload);
                let line = place.rsplit(':').next().and_then(|n| n.parse().ok());
                let record = BadRecord {
                    partition: &self.entry.name,
                    position: line.unwrap_or_default(),
                    value: payloads.get(bad.payload).copied(),
                    ..BadRecord::default()
                };
                kept.push(record, bad, SystemClock.now());
            }
        }
        let place = place(0);
        self.next = last;
        Ok((decoded, place))
    }

    /// Where it goes on after the rows returned.
    pub(super) fn position(&self) -> Position {
        let used = self
            .frames
            .get(self.next)
            .map_or(self.used, |next| next.start);
        let bytes = &self.buffer[self.start..self.start + used];
        Position {
            offset: self.position.offset + used as u64,
            lines: self.position.lines + newlines(bytes),
        }
    }

    /// Lets go of the records returned and reads on until there is a whole one or the file ends. Returns the number of
    /// bytes let go.
    fn read_on(&mut self, framer: &dyn Framer) -> Result<u64> {
        let released = self.release();
        self.make_room()?;
        while self.end < self.buffer.len() && !self.is_at_end {
            match self.file.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_at_end = true,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(cannot_read(&self.entry.path, e)),
            }
        }
        if self.position.offset == 0
            && self.buffer[self.start..self.end].starts_with(b"\xef\xbb\xbf")
        {
            self.start += 3;
            self.position.offset = 3;
        }
        let bytes = &self.buffer[self.start..self.end];
        self.used = framer.frames(bytes, self.is_at_end, &mut self.frames);
        if self.is_at_end {
            self.used = bytes.len();
        }
        Ok(released)
    }

    fn release(&mut self) -> u64 {
        let used = self.used;
        self.position.lines += newlines(&self.buffer[self.start..self.start + used]);
        self.position.offset += used as u64;
        self.start += used;
        self.used = 0;
        self.frames.clear();
        self.next = 0;
        used as u64
    }

    /// Moves what is left to the front; grows the buffer where that fills it, and shrinks it again afterwards.
    fn make_room(&mut self) -> Result<()> {
        let left = self.end - self.start;
        if left < self.buffer.len() {
            if self.buffer.len() > BUFFER_BYTES && left < BUFFER_BYTES {
                let mut smaller = vec![0; BUFFER_BYTES];
                smaller[..left].copy_from_slice(&self.buffer[self.start..self.end]);
                self.buffer = smaller;
            } else {
                self.buffer.copy_within(self.start..self.end, 0);
            }
            self.start = 0;
            self.end = left;
        } else if self.buffer.len() >= MAX_RECORD_BYTES {
            return Err(Error::data(format!(
                "{}:{}: a record is longer than {} MiB",
                self.entry.name,
                self.position.lines + 1,
                MAX_RECORD_BYTES >> 20
            ))
            .with_help("is this a text file of one record a line?"));
        } else {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        Ok(())
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
