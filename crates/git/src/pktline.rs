//! Packet lines: the framing of Git's protocols.

use crate::Error;

/// Longest packet, header included, in bytes.
const PACKET_BYTES_MAX: usize = 65_520;

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// `0000`: end of a message.
    Flush,
    /// `0001`: end of a section.
    Delimiter,
    /// `0002`: end of a response.
    End,
    /// Data, with its line end if it has one.
    Data(&'a [u8]),
}

impl<'a> Packet<'a> {
    /// Returns data as text without its line end; `None` for the other kinds.
    pub fn line(self) -> Option<&'a str> {
        match self {
            Self::Data(data) => {
                let text = std::str::from_utf8(data).ok()?;
                Some(text.strip_suffix('\n').unwrap_or(text))
            }
            _ => None,
        }
    }
}

/// Reads the packet at the start of a buffer; `None` where it is not complete yet. Returns it with its length.
pub(crate) fn read(buffer: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Error> {
    let Some(head) = buffer.get(..4) else {
        return Ok(None);
    };
    let length = std::str::from_utf8(head)
        .ok()
        .and_then(|hex| usize::from_str_radix(hex, 16).ok())
        .ok_or_else(|| Error::corrupt("answer of the Git server", "not in packet lines"))?;
    Ok(match length {
        0 => Some((Packet::Flush, 4)),
        1 => Some((Packet::Delimiter, 4)),
        2 => Some((Packet::End, 4)),
        4..=PACKET_BYTES_MAX => buffer
            .get(4..length)
            .map(|data| (Packet::Data(data), length)),
        _ => {
            let reason = format!("packet of {length} bytes");
            return Err(Error::corrupt("answer of the Git server", reason));
        }
    })
}

/// Reads a complete message.
pub(crate) fn read_all(mut buffer: &[u8]) -> Result<Vec<Packet<'_>>, Error> {
    let mut packets = Vec::new();
    while !buffer.is_empty() {
        let (packet, length) =
            read(buffer)?.ok_or_else(|| Error::corrupt("answer of the Git server", "cut off"))?;
        packets.push(packet);
        buffer = &buffer[length..];
    }
    Ok(packets)
}

/// Builds a request.
#[derive(Default)]
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// Adds a line; its end is added too.
    pub fn line(&mut self, text: &str) -> &mut Self {
        let length = text.len() + 5;
        debug_assert!(length <= PACKET_BYTES_MAX);
        self.0
            .extend_from_slice(format!("{length:04x}{text}\n").as_bytes());
        self
    }

    /// Ends a section.
    pub fn delimiter(&mut self) -> &mut Self {
        self.0.extend_from_slice(b"0001");
        self
    }

    /// Ends the request and returns its bytes.
    pub fn finish(&mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"0000");
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_round_trip() {
        let bytes = Request::default().line("a").delimiter().line("bc").finish();
        assert_eq!(bytes, b"0006a\n00010007bc\n0000");
        let packets = read_all(&bytes).unwrap();
        assert_eq!(packets[0].line(), Some("a"));
        assert_eq!(packets[1], Packet::Delimiter);
        assert_eq!(packets[3], Packet::Flush);
        assert!(read_all(b"0009ab").is_err());
        assert!(read(b"zzzz").is_err());
        assert!(read(b"ffff").is_err());
        assert_eq!(read(b"000").unwrap(), None);
    }
}
