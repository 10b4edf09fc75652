//! Length-limited prefix codes, chosen as Go's compressor chooses them.
//!
//! Package merge: where a symbol and a package weigh the same, the package comes first. Codes of one length are
//! handed out in order of symbols, the shortest codes to the heaviest ones.

/// The code of one symbol, lowest bit first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub bits: u16,
    pub length: u8,
}

/// Codes by symbol; a symbol that does not occur has length 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Codes(pub Vec<Code>);

impl Codes {
    /// Chooses codes for these frequencies, none longer than `longest` bits.
    pub fn choose(frequencies: &[u32], longest: usize) -> Self {
        let mut codes = vec![Code::default(); frequencies.len()];
        let mut symbols: Vec<(u32, usize)> = frequencies
            .iter()
            .enumerate()
            .filter(|(_, frequency)| **frequency > 0)
            .map(|(symbol, frequency)| (*frequency, symbol))
            .collect();
        if symbols.len() <= 2 {
            for (bits, (_, symbol)) in (0..).zip(symbols) {
                codes[symbol] = Code { bits, length: 1 };
            }
            return Self(codes);
        }
        symbols.sort_unstable();
        let weights: Vec<u32> = symbols.iter().map(|(weight, _)| *weight).collect();
        let counts = lengths(&weights, longest.min(symbols.len() - 1));
        let mut next = 0_u16;
        let mut rest = &symbols[..];
        for (length, count) in (1_u8..).zip(counts) {
            next <<= 1;
            let (lighter, chosen) = rest.split_at(rest.len() - count);
            let mut chosen: Vec<usize> = chosen.iter().map(|(_, symbol)| *symbol).collect();
            chosen.sort_unstable();
            for symbol in chosen {
                codes[symbol] = Code::reversed(next, length);
                next += 1;
            }
            rest = lighter;
        }
        Self(codes)
    }

    /// The codes that need no table, of literals and lengths.
    pub fn fixed_literals() -> Self {
        let code = |symbol: u16| match symbol {
            0..144 => Code::reversed(symbol + 48, 8),
            144..256 => Code::reversed(symbol - 144 + 400, 9),
            256..280 => Code::reversed(symbol - 256, 7),
            _ => Code::reversed(symbol - 280 + 192, 8),
        };
        Self((0..286).map(code).collect())
    }

    /// The codes that need no table, of distances.
    pub fn fixed_distances() -> Self {
        Self((0..30).map(|symbol| Code::reversed(symbol, 5)).collect())
    }

    /// Bits that symbols with these frequencies take.
    pub fn size(&self, frequencies: &[u32]) -> u64 {
        let symbols = frequencies.iter().zip(&self.0);
        symbols
            .map(|(frequency, code)| u64::from(*frequency) * u64::from(code.length))
            .sum()
    }
}

impl Code {
    fn reversed(bits: u16, length: u8) -> Self {
        Self {
            bits: bits.reverse_bits() >> (16 - length),
            length,
        }
    }
}

/// How many symbols get a code of each length, from one bit on. Weights are in increasing order.
fn lengths(weights: &[u32], longest: usize) -> Vec<usize> {
    // Each level holds symbols and packages of two items of the level below, in order of weight.
    let mut levels: Vec<Vec<(u64, bool)>> = Vec::with_capacity(longest);
    for _ in 0..longest {
        let below = levels.last().map(Vec::as_slice).unwrap_or_default();
        let mut packages = below
            .chunks_exact(2)
            .map(|pair| pair[0].0 + pair[1].0)
            .peekable();
        let mut level = Vec::with_capacity(weights.len() + below.len() / 2);
        for weight in weights.iter().map(|weight| u64::from(*weight)) {
            while let Some(package) = packages.next_if(|package| *package <= weight) {
                level.push((package, false));
            }
            level.push((weight, true));
        }
        level.extend(packages.map(|package| (package, false)));
        levels.push(level);
    }
    let mut taken = 2 * weights.len() - 2;
    let mut at_least: Vec<usize> = Vec::with_capacity(longest + 1);
    for level in levels.iter().rev() {
        let symbols = level.iter().take(taken).filter(|item| item.1).count();
        at_least.push(symbols);
        taken = 2 * (taken - symbols);
    }
    at_least.push(0);
    at_least.windows(2).map(|pair| pair[0] - pair[1]).collect()
}
