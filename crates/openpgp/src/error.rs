//! Why bytes are no key, no signature, or a signature that proves nothing. Texts are go-crypto's.

/// Why a key ring or a signature is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes that do not follow the format.
    #[error("openpgp: invalid data: {0}")]
    Structural(String),
    /// Something that is valid, but not understood.
    #[error("openpgp: unsupported feature: {0}")]
    Unsupported(String),
    /// The signature was not made over these bytes.
    #[error("openpgp: invalid signature: {0}")]
    Signature(String),
    /// No key of the ring may have made the signature.
    #[error("openpgp: signature made by unknown entity")]
    UnknownIssuer,
    /// The key, a name of its owner or the sub-key was withdrawn.
    #[error("openpgp: signature made by revoked key")]
    KeyRevoked,
    /// The key is past its end, or before its beginning.
    #[error("openpgp: key expired")]
    KeyExpired,
    /// The signature is past its end, or before its beginning.
    #[error("openpgp: signature expired")]
    SignatureExpired,
    /// The bytes end inside a packet, or the armor inside its Base64.
    #[error("unexpected EOF")]
    UnexpectedEnd,
}

impl Error {
    pub(crate) fn structural(text: impl Into<String>) -> Self {
        Self::Structural(text.into())
    }

    pub(crate) fn unsupported(text: impl Into<String>) -> Self {
        Self::Unsupported(text.into())
    }

    pub(crate) fn signature(text: impl Into<String>) -> Self {
        Self::Signature(text.into())
    }
}
