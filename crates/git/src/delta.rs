//! Deltas of packs: a target described by copies out of a base and by new bytes.

use crate::Error;

/// Rebuilds a target from its base.
pub(crate) fn apply(base: &[u8], delta: &[u8], bytes_max: u64) -> Result<Vec<u8>, Error> {
    let corrupt = |reason: &str| Error::corrupt("delta", reason);
    let mut reader = delta;
    let base_size = size(&mut reader).ok_or_else(|| corrupt("no base size"))?;
    let target_size = size(&mut reader).ok_or_else(|| corrupt("no target size"))?;
    if base_size != base.len() as u64 {
        return Err(corrupt("base of another size"));
    }
    if target_size > bytes_max {
        return Err(Error::TooLarge {
            what: "object".to_owned(),
            bytes_max,
        });
    }
    // Reserved only as far as the delta itself could plausibly fill, a hostile size must not allocate.
    let mut target = Vec::with_capacity(usize::try_from(target_size).unwrap_or(0).min(1 << 24));
    while let Some((op, rest)) = reader.split_first() {
        reader = rest;
        if op & 0x80 != 0 {
            let (offset, length) = copy(*op, &mut reader).ok_or_else(|| corrupt("copy cut off"))?;
            let part = base.get(offset..offset.saturating_add(length));
            target.extend_from_slice(part.ok_or_else(|| corrupt("copy outside of the base"))?);
        } else if *op == 0 {
            return Err(corrupt("reserved instruction"));
        } else {
            let length = usize::from(*op);
            let part = reader.get(..length);
            target.extend_from_slice(part.ok_or_else(|| corrupt("insert cut off"))?);
            reader = &reader[length..];
        }
        if target.len() as u64 > target_size {
            return Err(corrupt("longer than announced"));
        }
    }
    if target.len() as u64 == target_size {
        Ok(target)
    } else {
        Err(corrupt("shorter than announced"))
    }
}

/// Reads a little-endian base-128 number.
fn size(reader: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = reader.split_first()?;
        *reader = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn copy(op: u8, reader: &mut &[u8]) -> Option<(usize, usize)> {
    let mut field = |bits: std::ops::Range<u8>| -> Option<usize> {
        let mut value = 0;
        for (index, bit) in bits.enumerate() {
            if op & (1 << bit) != 0 {
                let (byte, rest) = reader.split_first()?;
                *reader = rest;
                value |= usize::from(*byte) << (8 * index);
            }
        }
        Some(value)
    };
    let offset = field(0..4)?;
    let length = field(4..7)?;
    Some((offset, if length == 0 { 0x10000 } else { length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_inserts_are_applied_and_bounded() {
        let delta = [5, 6, 0b1001_0001, 1, 3, 3, b'x', b'y', b'z'];
        assert_eq!(apply(b"abcde", &delta, 100).unwrap(), b"bcdxyz");
        assert!(apply(b"abcd", &delta, 100).is_err());
        assert!(apply(b"abcde", &delta, 5).is_err());
        assert!(apply(b"abcde", &delta[..8], 100).is_err());
        assert!(apply(b"abcde", &[5, 3, 0b1001_0001, 4, 3], 100).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_delta_panics(base: Vec<u8>, delta: Vec<u8>) {
            let _ = apply(&base, &delta, 1 << 16);
        }
    }
}
