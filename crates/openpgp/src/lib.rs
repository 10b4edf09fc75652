//! OpenPGP key rings and detached signatures (RFC 4880, 6637, 9580), for checking only.
//!
//! Bytes of a key ring become a [`KeyRing`]; a signature over bytes is checked against it at a time that the
//! caller gives. The `pgp` library reads armor, packets, keys and signatures and calculates; what is accepted, in
//! which order things are looked at, and the words of each refusal follow ProtonMail's go-crypto 1.4, which Helm
//! uses for provenance files. Left out: the Brainpool and Koblitz curves, secrets, encryption.
//!
//! ```
//! let ring = openpgp::KeyRing::read(&[]).unwrap();
//! let error = ring.check_detached(b"text", &[], 0).unwrap_err();
//! assert_eq!(error.to_string(), "openpgp: signature made by unknown entity");
//! ```

mod clearsign;
mod error;
mod keyring;
mod packet;
mod signature;

pub use clearsign::ClearSigned;
pub use error::Error;
pub use keyring::{KeyRing, Signer};
