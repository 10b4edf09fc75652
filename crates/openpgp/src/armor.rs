//! Armor: Base64 between lines of dashes. As in Go's library, the checksum is not looked at.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::error::Error;

/// Bytes of packets, and what stopped them, where it was not their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body<'b> {
    /// The bytes up to the fault.
    pub bytes: Cow<'b, [u8]>,
    /// Why the armor cannot be read further; only told when the bytes before it did not suffice.
    pub fault: Option<Error>,
}

impl<'b> Body<'b> {
    /// Bytes without armor.
    pub fn plain(bytes: &'b [u8]) -> Self {
        Self {
            bytes: Cow::Borrowed(bytes),
            fault: None,
        }
    }
}

/// An armored block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Armor {
    /// What the first line says: `PGP SIGNATURE` and the like.
    pub kind: String,
    /// What is inside.
    pub body: Body<'static>,
}

const START: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: usize = 5;
/// Longest line that is read in one piece; others are not looked at outside, and a fault inside.
const LINE_MAX: usize = 100;
/// Most characters of a line of Base64.
const DATA_MAX: usize = 96;

/// The first armored block of a text; nothing where there is none.
pub fn decode_armor(text: &[u8]) -> Option<Armor> {
    let mut lines = text.split(|&b| b == b'\n');
    // What follows the last line feed is no line where it is empty.
    loop {
        let line = lines.by_ref().find(|line| {
            let line = line.trim_ascii();
            line.len() > START.len() + DASHES && line.len() <= LINE_MAX && line.starts_with(START)
        })?;
        let line = line.trim_ascii();
        let kind = String::from_utf8_lossy(&line[START.len()..line.len() - DASHES]).into_owned();
        loop {
            let header = lines.next()?.trim_ascii();
            if header.is_empty() {
                let body = body(lines);
                return Some(Armor { kind, body });
            }
            if !header.contains(&b':') {
                break;
            }
        }
    }
}

fn body<'t>(lines: impl Iterator<Item = &'t [u8]>) -> Body<'static> {
    let mut decoder = Decoder::default();
    for line in lines {
        let trimmed = line.trim_ascii();
        if line.len() > LINE_MAX {
            return decoder.finish(Some(Error::structural("armor invalid")));
        }
        if trimmed.starts_with(END) || (trimmed.len() == 5 && trimmed[0] == b'=') {
            break;
        }
        if trimmed.len() > DATA_MAX {
            return decoder.finish(Some(Error::structural("armor invalid")));
        }
        if let Err(error) = decoder.line(trimmed) {
            return decoder.finish(Some(error));
        }
    }
    let rest = decoder.pending.len();
    let fault = (rest > 0).then_some(Error::UnexpectedEnd);
    decoder.finish(fault)
}

/// Groups of four characters over the ends of lines.
#[derive(Default)]
struct Decoder {
    bytes: Vec<u8>,
    pending: Vec<u8>,
    padded: bool,
}

impl Decoder {
    fn line(&mut self, line: &[u8]) -> Result<(), Error> {
        for (at, character) in line.iter().enumerate() {
            let at = at % 4;
            let alphabet = character.is_ascii_alphanumeric() || b"+/".contains(character);
            let padding = *character == b'=' && self.pending.len() >= 2;
            let misplaced = alphabet && self.pending.contains(&b'=');
            if self.padded || misplaced || !(alphabet || padding) {
                return Err(Error::Base64(at));
            }
            self.pending.push(*character);
            if self.pending.len() == 4 {
                self.group().map_err(|()| Error::Base64(at))?;
            }
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), ()> {
        let data = self.pending.iter().take_while(|b| **b != b'=').count();
        let bytes = STANDARD_NO_PAD.decode(&self.pending[..data]);
        // Bits behind the last byte do not have to be zero for Go; nobody writes others.
        self.bytes.extend(bytes.map_err(|_| ())?);
        self.padded = data < 4;
        self.pending.clear();
        Ok(())
    }

    fn finish(self, fault: Option<Error>) -> Body<'static> {
        Body {
            bytes: Cow::Owned(self.bytes),
            fault,
        }
    }
}
