//! A gzip stream with the bytes of Go's `compress/gzip` at its default level.
//!
//! Digests of artifacts that upstream's command pushes depend on these bytes. What is followed: greedy matching with one
//! step of laziness over hash chains of four bytes, a window that moves by half its size, blocks of 16,384 tokens. Where
//! the window moves depends on the pieces in which the text is written, so callers write what Go's tar writer writes.

mod blocks;
mod huffman;

use flate2::Crc;

use blocks::{BitWriter, Token};

const WINDOW: usize = 1 << 15;
const MATCH_MIN: usize = 4;
const MATCH_MAX: usize = 258;
const BLOCK_TOKENS: usize = 1 << 14;
const HASH_BITS: u32 = 17;
const HASH_FACTOR: u32 = 0x1e35_a7bd;
/// A match this long is not compared with the next position's.
const LAZY: usize = 16;
/// A match this long ends the search.
const NICE: usize = 128;
/// Candidates looked at.
const CHAIN: usize = 128;
/// Matches of the least length are worth their bits only nearby.
const NEAR: usize = 4096;
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A stream being written.
pub struct GoGzip {
    out: BitWriter,
    crc: Crc,
    /// Text that matches may refer to, and text ahead.
    window: Vec<u8>,
    /// Next position to look at, and end of the text, both in the window.
    index: usize,
    /// Positions that left the window so far.
    moved: usize,
    /// Where the present block began; `None` once that left the window.
    block_start: Option<usize>,
    tokens: Vec<Token>,
    /// Length and distance of the last position's match; a length below the least one is none.
    last: (usize, usize),
    /// Whether the byte before `index` is in no token yet.
    pending: bool,
    /// Newest position by hash, and the one before by position; counted from the start of the text, plus one.
    head: Vec<u32>,
    previous: Vec<u32>,
    newest: usize,
}

impl Default for GoGzip {
    fn default() -> Self {
        Self::new()
    }
}

impl GoGzip {
    /// Begins a stream.
    pub fn new() -> Self {
        let mut out = BitWriter::default();
        out.bytes.extend_from_slice(&HEADER);
        Self {
            out,
            crc: Crc::new(),
            window: Vec::with_capacity(2 * WINDOW),
            index: 0,
            moved: 0,
            block_start: Some(0),
            tokens: Vec::with_capacity(BLOCK_TOKENS),
            last: (MATCH_MIN - 1, 0),
            pending: false,
            head: vec![0; 1 << HASH_BITS],
            previous: vec![0; WINDOW],
            newest: 0,
        }
    }

    /// Writes a piece of the text.
    pub fn write(&mut self, mut piece: &[u8]) {
        self.crc.update(piece);
        while !piece.is_empty() {
            self.deflate(false);
            if self.index >= 2 * WINDOW - (MATCH_MIN + MATCH_MAX) {
                self.move_window();
            }
            let room = (2 * WINDOW - self.window.len()).min(piece.len());
            self.window.extend_from_slice(&piece[..room]);
            piece = &piece[room..];
        }
    }

    /// Ends the stream and returns it.
    pub fn finish(mut self) -> Vec<u8> {
        self.deflate(true);
        self.out.stored_header(0, true);
        let mut bytes = self.out.bytes;
        bytes.extend_from_slice(&self.crc.sum().to_le_bytes());
        bytes.extend_from_slice(&self.crc.amount().to_le_bytes());
        bytes
    }

    fn move_window(&mut self) {
        self.window.drain(..WINDOW);
        self.index -= WINDOW;
        self.moved += WINDOW;
        self.block_start = self.block_start.and_then(|start| start.checked_sub(WINDOW));
    }

    fn deflate(&mut self, last: bool) {
        let end = self.window.len();
        let hashed_end = end.saturating_sub(MATCH_MIN - 1);
        loop {
            let ahead = end - self.index;
            if ahead < MATCH_MIN + MATCH_MAX && !last {
                return;
            }
            if ahead == 0 {
                self.flush();
                return;
            }
            if self.index < hashed_end {
                self.newest = self.insert(self.index);
            }
            let before = std::mem::replace(&mut self.last, (MATCH_MIN - 1, 0));
            if ahead > before.0
                && before.0 < LAZY
                && let Some(found) = self.search(ahead)
            {
                self.last = found;
            }
            if before.0 >= MATCH_MIN && self.last.0 <= before.0 {
                self.take(before, hashed_end);
            } else {
                self.step();
            }
        }
    }

    /// Ends the last block.
    fn flush(&mut self) {
        if std::mem::take(&mut self.pending) {
            let byte = self.window[self.index - 1];
            self.tokens.push(Token::Literal(byte));
        }
        if !self.tokens.is_empty() {
            self.end_block(self.index);
        }
    }

    /// Takes the match of the position before.
    fn take(&mut self, (length, distance): (usize, usize), hashed_end: usize) {
        let token = Token::Match((length - 3) as u8, (distance - 1) as u16);
        self.tokens.push(token);
        let next = self.index + length - 1;
        for position in self.index + 1..next.min(hashed_end) {
            self.insert(position);
        }
        self.index = next;
        self.pending = false;
        self.last.0 = MATCH_MIN - 1;
        if self.tokens.len() == BLOCK_TOKENS {
            self.end_block(self.index);
        }
    }

    /// Goes on by one byte; the one before becomes a literal.
    fn step(&mut self) {
        if self.pending {
            let byte = self.window[self.index - 1];
            self.tokens.push(Token::Literal(byte));
            if self.tokens.len() == BLOCK_TOKENS {
                self.end_block(self.index);
            }
        }
        self.index += 1;
        self.pending = true;
    }

    fn end_block(&mut self, at: usize) {
        if at == 0 {
            return;
        }
        let input = self.block_start.filter(|start| *start <= at);
        let input = input.map(|start| &self.window[start..at]);
        self.out.block(&self.tokens, input);
        self.block_start = Some(at);
        self.tokens.clear();
    }

    /// Enters a position under its hash; returns the newest one that was there.
    fn insert(&mut self, position: usize) -> usize {
        let mut four = [0; 4];
        four.copy_from_slice(&self.window[position..position + 4]);
        let hash = u32::from_be_bytes(four).wrapping_mul(HASH_FACTOR) >> (32 - HASH_BITS);
        let newest = &mut self.head[hash as usize];
        let before = *newest;
        self.previous[position % WINDOW] = before;
        *newest = (position + self.moved + 1) as u32;
        before as usize
    }

    /// Finds the longest match for the present position among the newest candidates.
    fn search(&self, ahead: usize) -> Option<(usize, usize)> {
        let position = self.index;
        let oldest = position.saturating_sub(WINDOW);
        let in_window = |entry: usize| entry.checked_sub(self.moved + 1);
        let mut candidate = in_window(self.newest).filter(|at| *at >= oldest)?;
        let longest = MATCH_MAX.min(ahead);
        let text = &self.window[position..position + longest];
        let nice = NICE.min(longest);
        let mut found = None;
        let mut length = MATCH_MIN - 1;
        for _ in 0..CHAIN {
            let other = &self.window[candidate..candidate + longest];
            if other[length] == text[length] {
                let same = text.iter().zip(other).take_while(|(a, b)| a == b).count();
                let distance = position - candidate;
                if same > length && (same > MATCH_MIN || distance <= NEAR) {
                    length = same;
                    found = Some((same, distance));
                    if same >= nice {
                        break;
                    }
                }
            }
            if position >= WINDOW && candidate == position - WINDOW {
                break;
            }
            let before = self.previous[candidate % WINDOW] as usize;
            match in_window(before) {
                Some(at) if at >= oldest => candidate = at,
                _ => break,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::io::Read;

    /// Texts that need every kind of block, repetition near and far, and several windows.
    fn text(kind: usize) -> Vec<u8> {
        let mut state = 12_345_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as u8
        };
        match kind {
            0 => Vec::new(),
            1 => b"hello, hello, hello".to_vec(),
            2 => vec![0; 200_000],
            3 => (0..100_000).map(|_| random()).collect(),
            4 => (0..300_000)
                .map(|_| b"abcdefgh \n"[usize::from(random()) % 10])
                .collect(),
            _ => (0..60_000)
                .flat_map(|line| {
                    format!("key{}: value-{}\n", line % 977, u32::from(random()) * line)
                        .into_bytes()
                })
                .collect(),
        }
    }

    /// Recorded from Go 1.26's gzip.NewWriter, the text written in pieces of 32 KiB.
    const RECORDED: [(usize, &str); 6] = [
        (
            23,
            "30e6fa98fb48c2b132824d1ac5e2243c0be9e9082ff32598d34d7687ca7f6c7f",
        ),
        (
            33,
            "9097c65dcc48989769286aa4928dd8ec8d03ef53cf72efde96ecb7189b57c4de",
        ),
        (
            232,
            "854ec954cacb0257c5b791d95df5b1151cee7ddb267eb69e00450562f9553bfe",
        ),
        (
            100058,
            "63d2301ff8702a04d71c253912689bd7a64600d819fc5801e7fa8933dd55b615",
        ),
        (
            140298,
            "06e30e1b344626dd68ef149d4f8e696df82825ad9ccd49706fd68d1fab6a11ad",
        ),
        (
            375292,
            "52142397d110ab8978e4b64cf6db0430cbfc9ed7d7090c60f5aa1eee56f608f0",
        ),
    ];

    #[test]
    fn the_stream_is_gos() {
        for (kind, (size, digest)) in RECORDED.into_iter().enumerate() {
            let text = text(kind);
            let mut stream = GoGzip::new();
            for piece in text.chunks(32 << 10) {
                stream.write(piece);
            }
            let bytes = stream.finish();
            let mut back = Vec::new();
            let mut reader = flate2::read::GzDecoder::new(&bytes[..]);
            reader.read_to_end(&mut back).unwrap();
            assert!(back == text, "text {kind} does not come back");
            let got = hex::encode(Sha256::digest(&bytes));
            assert_eq!((bytes.len(), got.as_str()), (size, digest), "text {kind}");
        }
    }
}
