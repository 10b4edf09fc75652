//! Clear-signed messages: readable text, and below it an armored signature.

use std::io::Read as _;

use pgp::armor::{BlockType, Dearmor};

use crate::error::Error;
use crate::keyring::{KeyRing, Signer};

/// A clear-signed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearSigned {
    /// The text, its lines without dash escapes and without space at their ends, joined by line feeds.
    pub text: Vec<u8>,
    /// The bytes that are signed: the same lines, joined by CR LF.
    pub signed: Vec<u8>,
    /// The packets of the signature; an error where its armor is broken.
    pub signature: Result<Vec<u8>, Error>,
}

const START: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END: &[u8] = b"\n-----END PGP SIGNATURE-----";
/// Hashes that a message may say it was signed with.
const HASHES: &[&str] = &[
    "MD5",
    "SHA1",
    "RIPEMD160",
    "SHA224",
    "SHA256",
    "SHA384",
    "SHA512",
    "SHA3-256",
    "SHA3-512",
];

impl ClearSigned {
    /// The first clear-signed message of a text; nothing where there is none, or a broken one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut rest = behind_start(text)?;
        skip_headers(&mut rest)?;
        let mut lines = Vec::new();
        let armored = loop {
            let before = rest;
            let line = take_line(&mut rest);
            if line.is_empty() && rest.is_empty() {
                return None;
            }
            if line == SIGNATURE {
                break before;
            }
            let line = line.strip_prefix(b"- ").unwrap_or(line);
            let end = line.iter().rposition(|b| !b" \t".contains(b));
            lines.push(&line[..end.map_or(0, |at| at + 1)]);
        };
        // Go's library fails in some way where there is no line at all.
        if lines.is_empty() {
            return None;
        }
        let end = find(armored, END)? + END.len();
        let signature = dearmored(&armored[..end])?;
        Some(Self {
            text: lines.join(&b'\n'),
            signed: lines.join(&b"\r\n"[..]),
            signature,
        })
    }

    /// Checks the signature with trusted keys at a time in seconds since 1970.
    ///
    /// # Errors
    /// The armor of the signature is broken, or as [`KeyRing::check_detached`].
    pub fn check(&self, keys: &KeyRing, now: i64) -> Result<Signer, Error> {
        let signature = self.signature.as_ref().map_err(Clone::clone)?;
        keys.check_detached(&self.signed, signature, now)
    }
}

/// What is inside the armor of a signature; nothing where it does not begin as one.
fn dearmored(text: &[u8]) -> Option<Result<Vec<u8>, Error>> {
    let mut armor = Dearmor::new(text);
    armor.read_header().ok()?;
    if armor.typ != Some(BlockType::Signature) {
        return None;
    }
    let mut bytes = Vec::new();
    let read = armor.read_to_end(&mut bytes);
    Some(read.map(|_| bytes).map_err(|_| Error::UnexpectedEnd))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// What follows the line that begins a message.
fn behind_start(text: &[u8]) -> Option<&[u8]> {
    let mut rest = match text.strip_prefix(START) {
        Some(rest) => rest,
        None => {
            let with_feed = [b"\n", START].concat();
            &text[find(text, &with_feed)? + with_feed.len()..]
        }
    };
    take_line(&mut rest).is_empty().then_some(rest)
}

fn take_line<'t>(rest: &mut &'t [u8]) -> &'t [u8] {
    let (line, behind) = match rest.iter().position(|b| *b == b'\n') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => return std::mem::take(rest),
    };
    *rest = behind;
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Only hashes may be named, and only known ones.
fn skip_headers(rest: &mut &[u8]) -> Option<()> {
    loop {
        if rest.is_empty() {
            return None;
        }
        let line = take_line(rest);
        if line.trim_ascii().is_empty() {
            return Some(());
        }
        if line.iter().any(|b| !(0x20..=0x7e).contains(b)) {
            return None;
        }
        let (name, values) = std::str::from_utf8(line).ok()?.split_once(':')?;
        let known = |value: &str| HASHES.contains(&value.trim().to_uppercase().as_str());
        if name.trim() != "Hash" || !values.split(',').all(known) {
            return None;
        }
    }
}
