//! Packets: a stream of bytes cut at headers of the old and the new form, with partial lengths.

use std::borrow::Cow;

use crate::armor::Body;
use crate::error::Error;
use crate::key::PublicKey;
use crate::signature::Signature;

/// What a packet holds, as far as it matters here.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    /// A primary key, public or secret, or a sub-key.
    Key(Box<PublicKey>),
    /// Who the key belongs to.
    UserId(Vec<u8>),
    /// A signature.
    Signature(Box<Signature>),
    /// Anything else that is well known.
    Other,
}

/// Reads packets one after the other; one may be put back.
pub(crate) struct Reader<'b> {
    body: &'b Body<'b>,
    at: usize,
    unread: Option<Packet>,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(body: &'b Body<'b>) -> Self {
        Self {
            body,
            at: 0,
            unread: None,
        }
    }

    pub(crate) fn unread(&mut self, packet: Packet) {
        self.unread = Some(packet);
    }

    /// The next packet that is understood; nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, Error> {
        if let Some(packet) = self.unread.take() {
            return Ok(Some(packet));
        }
        loop {
            let start = self.at;
            match self.read() {
                Err(Error::Unsupported(_)) if self.at > start => {}
                Ok(Found::Skip) => {}
                Ok(Found::Packet(packet)) => return Ok(Some(packet)),
                Ok(Found::End) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.body.bytes.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| self.ended())
    }

    fn ended(&self) -> Error {
        self.body.fault.clone().unwrap_or(Error::UnexpectedEnd)
    }

    fn number(&mut self, bytes: usize) -> Result<usize, Error> {
        (0..bytes).try_fold(0, |sum, _| Ok(sum << 8 | usize::from(self.byte()?)))
    }

    /// A length of the new form, and whether more pieces follow.
    fn length(&mut self) -> Result<(usize, bool), Error> {
        let first = usize::from(self.byte()?);
        Ok(match first {
            0..192 => (first, false),
            192..224 => (
                ((first - 192) << 8) + usize::from(self.byte()?) + 192,
                false,
            ),
            224..255 => (1 << (first & 0x1f), true),
            _ => (self.number(4)?, false),
        })
    }

    /// Contents of the packet with the tag, and the place behind it.
    fn contents(&mut self, first: u8) -> Result<(u8, Cow<'b, [u8]>, bool), Error> {
        if first & 0x40 == 0 {
            let tag = (first & 0x3f) >> 2;
            let length = match first & 3 {
                3 => self.body.bytes.len() - self.at,
                kind => self.number(1 << kind)?,
            };
            let (slice, whole) = self.slice(length);
            return Ok((tag, Cow::Borrowed(slice), whole));
        }
        let (mut length, mut more) = self.length()?;
        let (slice, mut whole) = self.slice(length);
        let mut contents = Cow::Borrowed(slice);
        while more && whole {
            (length, more) = self.length()?;
            let (slice, complete) = self.slice(length);
            contents.to_mut().extend_from_slice(slice);
            whole = complete;
        }
        Ok((first & 0x3f, contents, whole))
    }

    /// So many of the bytes that follow, and whether there are so many.
    fn slice(&mut self, length: usize) -> (&'b [u8], bool) {
        let rest = &self.body.bytes[self.at.min(self.body.bytes.len())..];
        let taken = &rest[..length.min(rest.len())];
        self.at += taken.len();
        (taken, taken.len() == length)
    }

    fn read(&mut self) -> Result<Found, Error> {
        if self.at >= self.body.bytes.len() {
            return match &self.body.fault {
                Some(fault) => Err(fault.clone()),
                None => Ok(Found::End),
            };
        }
        let first = self.byte()?;
        if first & 0x80 == 0 {
            return Err(Error::structural("tag byte does not have MSB set"));
        }
        let (tag, contents, whole) = self.contents(first)?;
        let mut fields = Fields {
            bytes: &contents,
            at: 0,
            end: (!whole).then(|| self.ended()),
        };
        let packet = match tag {
            2 => Packet::Signature(Box::new(Signature::parse(&mut fields)?)),
            5 | 6 | 7 | 14 => Packet::Key(Box::new(PublicKey::parse(&mut fields, tag)?)),
            13 if whole => Packet::UserId(contents.into_owned()),
            13 => return Err(self.ended()),
            10 | 12 => return Ok(Found::Skip),
            1 | 3 | 4 | 8 | 9 | 11 | 17 | 18 | 20 | 21 => Packet::Other,
            0..40 => return Err(Error::CriticalPacket(tag)),
            _ => return Ok(Found::Skip),
        };
        Ok(Found::Packet(packet))
    }
}

enum Found {
    Packet(Packet),
    Skip,
    End,
}

/// The fields of one packet.
pub(crate) struct Fields<'p> {
    pub(crate) bytes: &'p [u8],
    pub(crate) at: usize,
    /// What stopped the bytes, where the packet says that there are more.
    pub(crate) end: Option<Error>,
}

impl<'p> Fields<'p> {
    pub(crate) fn new(bytes: &'p [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            end: None,
        }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'p [u8], Error> {
        let taken = self.bytes[self.at..].get(..length);
        self.at = (self.at + length).min(self.bytes.len());
        taken.ok_or_else(|| self.end.clone().unwrap_or(Error::UnexpectedEnd))
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn number(&mut self, bytes: usize) -> Result<u32, Error> {
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)))
    }

    /// A big number: its length in bits, then its bytes.
    pub(crate) fn integer(&mut self) -> Result<&'p [u8], Error> {
        let bits = self.number(2)? as usize;
        self.take(bits.div_ceil(8))
    }

    /// The name of a curve, or the parameters of a key derivation.
    pub(crate) fn short(&mut self) -> Result<&'p [u8], Error> {
        match self.byte()? {
            0 | 0xff => Err(Error::unsupported("reserved for future extensions")),
            length => self.take(usize::from(length)),
        }
    }
}
