//! Blocks of tokens turned into bits: stored, with the fixed codes, or with codes of their own, whichever is shortest.

use super::huffman::{Code, Codes};

/// Literal 0 to 255, or a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Literal(u8),
    /// Length less 3, distance less 1.
    Match(u8, u16),
}

const END: usize = 256;
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
/// Longest block that is stored as it is.
const STORED_MAX: usize = 65_535;
/// In which order the lengths of the table's own codes are written.
const TABLE_ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Bits on their way, lowest first.
#[derive(Default)]
pub(super) struct BitWriter {
    pub bytes: Vec<u8>,
    bits: u64,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, bits: u8) {
        self.bits |= u64::from(value) << self.count;
        self.count += u32::from(bits);
        while self.count >= 8 {
            self.bytes.push(self.bits as u8);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    fn put_code(&mut self, code: Code) {
        self.put(u32::from(code.bits), code.length);
    }

    fn align(&mut self) {
        if self.count > 0 {
            self.bytes.push(self.bits as u8);
            self.bits = 0;
            self.count = 0;
        }
    }

    /// Begins a stored block.
    pub fn stored_header(&mut self, length: u16, last: bool) {
        self.put(u32::from(last), 3);
        self.align();
        self.put(u32::from(length), 16);
        self.put(u32::from(!length), 16);
    }

    /// Writes a block; `input` is what the tokens stand for, where it is still known.
    pub fn block(&mut self, tokens: &[Token], input: Option<&[u8]>) {
        let counts = Counts::of(tokens);
        let own = Own::new(&counts);
        let extra = counts.extra_bits();
        let fixed = (Codes::fixed_literals(), Codes::fixed_distances());
        let fixed_size =
            3 + fixed.0.size(&counts.literals) + fixed.1.size(&counts.distances) + extra;
        let own_size = own.size(&counts) + extra;
        if let Some(input) = input.filter(|input| input.len() <= STORED_MAX)
            && (input.len() as u64 + 5) * 8 < own_size.min(fixed_size)
        {
            self.stored_header(input.len() as u16, false);
            self.bytes.extend_from_slice(input);
        } else if own_size < fixed_size {
            own.write_header(self);
            self.tokens(tokens, &own.literals, &own.distances);
        } else {
            self.put(2, 3);
            self.tokens(tokens, &fixed.0, &fixed.1);
        }
    }

    fn tokens(&mut self, tokens: &[Token], literals: &Codes, distances: &Codes) {
        for token in tokens {
            match *token {
                Token::Literal(byte) => self.put_code(literals.0[usize::from(byte)]),
                Token::Match(length, distance) => {
                    let (symbol, bits, value) = length_symbol(length);
                    self.put_code(literals.0[symbol]);
                    self.put(value, bits);
                    let (symbol, bits, value) = distance_symbol(distance);
                    self.put_code(distances.0[symbol]);
                    self.put(value, bits);
                }
            }
        }
        self.put_code(literals.0[END]);
    }
}

/// Symbol, number of extra bits and their value for a length less 3.
fn length_symbol(length: u8) -> (usize, u8, u32) {
    match length {
        0..8 => (257 + usize::from(length), 0, 0),
        255 => (285, 0, 0),
        _ => {
            let bits = (length.ilog2() - 2) as u8;
            let group = usize::from(length >> bits) - 4;
            let symbol = 257 + 4 + 4 * usize::from(bits) + group;
            (symbol, bits, u32::from(length) & ((1 << bits) - 1))
        }
    }
}

/// Symbol, number of extra bits and their value for a distance less 1.
fn distance_symbol(distance: u16) -> (usize, u8, u32) {
    if distance < 4 {
        return (usize::from(distance), 0, 0);
    }
    let bits = (distance.ilog2() - 1) as u8;
    let group = usize::from(distance >> bits) - 2;
    let symbol = 2 + 2 * usize::from(bits) + group;
    (symbol, bits, u32::from(distance) & ((1 << bits) - 1))
}

/// How often each symbol occurs in a block.
struct Counts {
    literals: Vec<u32>,
    distances: Vec<u32>,
    /// Bits beside the codes.
    extra: u64,
}

impl Counts {
    fn of(tokens: &[Token]) -> Self {
        let mut counts = Self {
            literals: vec![0; LITERALS],
            distances: vec![0; DISTANCES],
            extra: 0,
        };
        for token in tokens {
            match *token {
                Token::Literal(byte) => counts.literals[usize::from(byte)] += 1,
                Token::Match(length, distance) => {
                    let (symbol, bits, _) = length_symbol(length);
                    counts.literals[symbol] += 1;
                    counts.extra += u64::from(bits);
                    let (symbol, bits, _) = distance_symbol(distance);
                    counts.distances[symbol] += 1;
                    counts.extra += u64::from(bits);
                }
            }
        }
        counts.literals[END] += 1;
        if counts.distances.iter().all(|count| *count == 0) {
            // A table needs at least one distance.
            counts.distances[0] = 1;
        }
        counts
    }

    fn extra_bits(&self) -> u64 {
        self.extra
    }
}

/// Codes of a block's own, with the table that describes them.
struct Own {
    literals: Codes,
    distances: Codes,
    literal_count: usize,
    distance_count: usize,
    /// Symbols of the table, each with extra bits.
    table: Vec<(usize, u8, u32)>,
    table_codes: Codes,
    table_counts: Vec<u32>,
}

impl Own {
    fn new(counts: &Counts) -> Self {
        let literals = Codes::choose(&counts.literals, 15);
        let distances = Codes::choose(&counts.distances, 15);
        let used = |counts: &[u32]| {
            counts
                .iter()
                .rposition(|count| *count > 0)
                .map_or(0, |at| at + 1)
        };
        let (literal_count, distance_count) = (used(&counts.literals), used(&counts.distances));
        let lengths: Vec<u8> = literals.0[..literal_count]
            .iter()
            .chain(&distances.0[..distance_count])
            .map(|code| code.length)
            .collect();
        let table = run_lengths(&lengths);
        let mut table_counts = vec![0; TABLE_ORDER.len()];
        for (symbol, _, _) in &table {
            table_counts[*symbol] += 1;
        }
        Self {
            table_codes: Codes::choose(&table_counts, 7),
            literals,
            distances,
            literal_count,
            distance_count,
            table,
            table_counts,
        }
    }

    fn table_length(&self) -> usize {
        let used = TABLE_ORDER
            .iter()
            .rposition(|symbol| self.table_counts[*symbol] > 0);
        used.map_or(4, |at| at + 1).max(4)
    }

    fn size(&self, counts: &Counts) -> u64 {
        let header = 3 + 5 + 5 + 4 + 3 * self.table_length() as u64;
        let extra: u64 = self.table.iter().map(|(_, bits, _)| u64::from(*bits)).sum();
        header
            + self.table_codes.size(&self.table_counts)
            + extra
            + self.literals.size(&counts.literals)
            + self.distances.size(&counts.distances)
    }

    fn write_header(&self, out: &mut BitWriter) {
        let length = self.table_length();
        out.put(4, 3);
        out.put((self.literal_count - 257) as u32, 5);
        out.put((self.distance_count - 1) as u32, 5);
        out.put((length - 4) as u32, 4);
        for symbol in &TABLE_ORDER[..length] {
            out.put(u32::from(self.table_codes.0[*symbol].length), 3);
        }
        for (symbol, bits, value) in &self.table {
            out.put_code(self.table_codes.0[*symbol]);
            out.put(*value, *bits);
        }
    }
}

/// Describes code lengths with repetitions: 16 repeats the last one, 17 and 18 are runs of zeros.
fn run_lengths(lengths: &[u8]) -> Vec<(usize, u8, u32)> {
    let mut table = Vec::new();
    for run in lengths.chunk_by(|a, b| a == b) {
        let (length, mut count) = (usize::from(run[0]), run.len());
        if length == 0 {
            while count >= 11 {
                let part = count.min(138);
                table.push((18, 7, (part - 11) as u32));
                count -= part;
            }
            if count >= 3 {
                table.push((17, 3, (count - 3) as u32));
                count = 0;
            }
        } else {
            table.push((length, 0, 0));
            count -= 1;
            while count >= 3 {
                let part = count.min(6);
                table.push((16, 2, (part - 3) as u32));
                count -= part;
            }
        }
        table.extend(std::iter::repeat_n((length, 0, 0), count));
    }
    table
}
