//! Bytes with their digest, and lines of them with one line of foresight.

use std::io::{BufRead, Read};

use sha2::{Digest, Sha256};

use super::IndexError;

/// Longest line of a YAML index in bytes, and largest piece that is parsed at once.
pub(super) const PIECE_BYTES_MAX: usize = 8 << 20;

/// A reader that computes the digest of what passes.
pub(super) struct Digesting<R> {
    inner: R,
    hash: Sha256,
    size: u64,
}

impl<R: Read> Digesting<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            size: 0,
        }
    }

    /// Reads what is left and gives size and digest of everything.
    pub fn finish(mut self) -> Result<(u64, String), IndexError> {
        let mut buffer = vec![0; super::BUFFER_BYTES];
        while self.read(&mut buffer)? > 0 {}
        Ok((self.size, hex::encode(self.hash.finalize())))
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

/// What a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing, or a comment.
    Nothing,
    /// `- ` in that column.
    Item(usize),
    /// Anything else in that column.
    Text(usize),
}

/// Lines of a stream; the present one can be looked at before it is taken.
pub(super) struct Lines<'r, R> {
    input: &'r mut R,
    line: Vec<u8>,
    number: usize,
    start: Option<Start>,
}

impl<'r, R: BufRead> Lines<'r, R> {
    pub fn new(input: &'r mut R) -> Result<Self, IndexError> {
        let mut lines = Self {
            input,
            line: Vec::new(),
            number: 0,
            start: None,
        };
        lines.advance()?;
        if lines.line.starts_with(b"\xef\xbb\xbf") {
            lines.line.drain(..3);
            lines.start = Some(start_of(&lines.line));
        }
        Ok(lines)
    }

    /// What the present line begins with; `None` at the end.
    pub fn start(&self) -> Option<Start> {
        self.start
    }

    /// The present line with its end.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Number of the present line, from one.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Adds the present line to a piece and goes on.
    pub fn take(&mut self, piece: &mut Vec<u8>) -> Result<(), IndexError> {
        if piece.len() + self.line.len() > PIECE_BYTES_MAX {
            return Err(too_large(self.number));
        }
        piece.extend_from_slice(&self.line);
        self.advance()
    }

    /// Goes to the next line.
    pub fn advance(&mut self) -> Result<(), IndexError> {
        self.line.clear();
        let limit = PIECE_BYTES_MAX as u64 + 1;
        let count = (&mut *self.input)
            .take(limit)
            .read_until(b'\n', &mut self.line)?;
        if count as u64 == limit {
            return Err(too_large(self.number + 1));
        }
        self.number += 1;
        self.start = (count > 0).then(|| start_of(&self.line));
        Ok(())
    }
}

fn too_large(line: usize) -> IndexError {
    IndexError::Malformed(format!(
        "line {line}: one piece of the index is larger than {PIECE_BYTES_MAX} bytes"
    ))
}

fn start_of(line: &[u8]) -> Start {
    let column = line.iter().take_while(|&&b| b == b' ').count();
    match &line[column..] {
        [] | [b'\n' | b'#', ..] | [b'\r', b'\n'] => Start::Nothing,
        [b'-'] | [b'-', b' ' | b'\n' | b'\r', ..] => Start::Item(column),
        _ => Start::Text(column),
    }
}
