//! OpenPGP key rings and detached signatures (RFC 4880, 6637, 9580), for checking only.
//!
//! Bytes of a key ring become a [`KeyRing`]; a signature over bytes is checked against it at a time that the
//! caller gives. What is accepted, in which order things are looked at, and the words of each refusal follow
//! ProtonMail's go-crypto 1.4, which Helm (provenance files) and Flux (commits) use. Keys are RSA, DSA, ECDSA
//! over the NIST, Koblitz and Brainpool curves, and Ed25519. Left out: Ed448, SHA-3, secrets, encryption.
//!
//! ```
//! let ring = openpgp::KeyRing::read(&[]).unwrap();
//! let error = ring.check_detached(b"text", &openpgp::Body::plain(&[]), 0).unwrap_err();
//! assert_eq!(error.to_string(), "openpgp: signature made by unknown entity");
//! ```

mod armor;
mod clearsign;
mod curve;
mod error;
mod hash;
mod key;
mod keyring;
mod math;
mod packet;
mod signature;

pub use armor::{Armor, Body, decode_armor};
pub use clearsign::ClearSigned;
pub use error::Error;
pub use keyring::{KeyRing, Signer};
