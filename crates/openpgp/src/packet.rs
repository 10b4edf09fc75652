//! Packets as the library reads them, less those that go-crypto does not understand and passes over.

use pgp::errors::Error as Fault;
use pgp::packet::{Packet, PacketParser};
use pgp::types::{KeyDetails, KeyVersion};

use crate::error::Error;
use crate::signature;

/// Reads packets one after the other; one may be put back.
pub(crate) struct Reader<'b> {
    packets: PacketParser<&'b [u8]>,
    unread: Option<Packet>,
    /// What made all bytes that follow unreadable.
    stopped: Option<Error>,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self {
            packets: PacketParser::new(bytes),
            unread: None,
            stopped: None,
        }
    }

    pub(crate) fn unread(&mut self, packet: Packet) {
        self.unread = Some(packet);
    }

    /// Whether nothing more can be read.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The next packet that is understood, of secret keys the public half; nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, Error> {
        if let Some(packet) = self.unread.take() {
            return Ok(Some(packet));
        }
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        for read in self.packets.by_ref() {
            let packet = match read {
                Ok(packet) => public(packet),
                Err(fault) if is_unsupported(&fault) => continue,
                Err(fault) => {
                    let error = judged(&fault);
                    self.stopped = matches!(fault, Fault::IO { .. }).then(|| error.clone());
                    return Err(error);
                }
            };
            if is_understood(&packet) {
                signature::check_contents(&packet)?;
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }
}

fn public(packet: Packet) -> Packet {
    match packet {
        Packet::SecretKey(key) => key.public_key().clone().into(),
        Packet::SecretSubkey(key) => key.public_key().clone().into(),
        other => other,
    }
}

fn is_understood(packet: &Packet) -> bool {
    let version = match packet {
        Packet::Marker(_) | Packet::Trust(_) | Packet::Padding(_) => return false,
        Packet::Signature(one) => return signature::is_understood(one),
        Packet::PublicKey(key) => key.version(),
        Packet::PublicSubkey(key) => key.version(),
        _ => return true,
    };
    matches!(version, KeyVersion::V4 | KeyVersion::V6)
}

fn is_unsupported(fault: &Fault) -> bool {
    match fault {
        Fault::Unsupported { .. } => true,
        Fault::InvalidPacketContent { source } => is_unsupported(source),
        _ => false,
    }
}

/// Go's words for the library's fault.
fn judged(fault: &Fault) -> Error {
    match fault {
        Fault::PacketIncomplete { .. } => Error::UnexpectedEnd,
        Fault::IO { source, .. } if source.kind() == std::io::ErrorKind::InvalidInput => {
            match source.to_string() {
                text if text.starts_with("unknown packet header") => {
                    Error::structural("tag byte does not have MSB set")
                }
                text => Error::structural(text),
            }
        }
        Fault::IO { .. } => Error::UnexpectedEnd,
        Fault::InvalidPacketContent { source } => judged(source),
        other => Error::structural(other.to_string()),
    }
}
