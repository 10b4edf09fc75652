//! zlib streams of known size inside of larger data.

use flate2::{Decompress, FlushDecompress, Status};

use crate::Error;

/// Largest object read into memory, in bytes. GitOps repositories stay far below.
pub(crate) const OBJECT_BYTES_MAX: u64 = 512 << 20;

/// Inflates one zlib stream of exactly `size` bytes; `more` yields its compressed bytes piece by piece.
///
/// Returns the content and how many compressed bytes were used.
pub(crate) fn inflate(
    what: &str,
    size: u64,
    mut more: impl FnMut(u64) -> Result<Vec<u8>, Error>,
) -> Result<(Vec<u8>, u64), Error> {
    if size > OBJECT_BYTES_MAX {
        return Err(Error::TooLarge {
            what: what.to_owned(),
            bytes_max: OBJECT_BYTES_MAX,
        });
    }
    let size = usize::try_from(size).map_err(|_| Error::corrupt(what, "too large"))?;
    let mut inflater = Decompress::new(true);
    // One byte more than announced, so that a longer stream shows itself.
    let mut out = Vec::with_capacity(size.min(1 << 20) + 1);
    loop {
        let input = more(inflater.total_in())?;
        if input.is_empty() {
            return Err(Error::corrupt(what, "compressed data cut off"));
        }
        let mut used = 0;
        loop {
            if out.capacity() == out.len() {
                out.reserve((size + 1).saturating_sub(out.len()).clamp(1, 1 << 20));
            }
            let before = (inflater.total_in(), out.len());
            let status = inflater
                .decompress_vec(&input[used..], &mut out, FlushDecompress::None)
                .map_err(|error| Error::corrupt(what, error.to_string()))?;
            used += usize::try_from(inflater.total_in() - before.0).expect("fits a slice");
            if out.len() > size {
                return Err(Error::corrupt(what, "longer than announced"));
            }
            if status == Status::StreamEnd {
                if out.len() == size {
                    return Ok((out, inflater.total_in()));
                }
                return Err(Error::corrupt(what, "shorter than announced"));
            }
            let stuck = inflater.total_in() == before.0 && out.len() == before.1;
            if used == input.len() && out.len() < out.capacity() || stuck {
                break;
            }
        }
        if used == 0 {
            return Err(Error::corrupt(what, "compressed data makes no progress"));
        }
    }
}
