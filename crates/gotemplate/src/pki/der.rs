//! DER: as much as keys and certificates need.

use num_bigint::BigUint;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One element: tag, length, contents.
pub(super) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let len = contents.len();
    if len < 0x80 {
        out.push(len as u8);
    } else {
        let bytes = len.to_be_bytes();
        let skip = bytes.iter().take_while(|b| **b == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend_from_slice(&bytes[skip..]);
    }
    out.extend_from_slice(contents);
    out
}

/// A sequence of elements.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

/// A non-negative integer.
pub(super) fn integer(number: &BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_be();
    if bytes[0] & 0x80 != 0 {
        bytes.insert(0, 0);
    }
    element(INTEGER, &bytes)
}

/// A small integer.
pub(super) fn small(number: u32) -> Vec<u8> {
    integer(&BigUint::from(number))
}

/// A bit string of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes].concat())
}

/// An object identifier given in its encoded form.
pub(super) fn object(encoded: &[u8]) -> Vec<u8> {
    element(OBJECT, encoded)
}

/// Splits the first element off: tag, contents, whole element, rest.
#[derive(Clone, Copy)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) contents: &'d [u8],
    pub(super) whole: &'d [u8],
}

/// Reads one element and gives the rest.
pub(super) fn read(data: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = data.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        (
            digits
                .iter()
                .fold(0, |len, digit| len << 8 | usize::from(*digit)),
            rest,
        )
    };
    let (contents, rest) = rest.split_at_checked(len)?;
    let whole = &data[..data.len() - rest.len()];
    Some((
        Element {
            tag,
            contents,
            whole,
        },
        rest,
    ))
}

/// All elements of a sequence's contents.
pub(super) fn elements(mut data: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut found = Vec::new();
    while !data.is_empty() {
        let (element, rest) = read(data)?;
        found.push(element);
        data = rest;
    }
    Some(found)
}

/// The elements of a whole DER sequence.
pub(super) fn parts(data: &[u8]) -> Option<Vec<Element<'_>>> {
    let (outer, _) = read(data)?;
    if outer.tag != SEQUENCE {
        return None;
    }
    elements(outer.contents)
}

impl Element<'_> {
    pub(super) fn number(&self) -> Option<BigUint> {
        (self.tag == INTEGER).then(|| BigUint::from_bytes_be(self.contents))
    }
}
