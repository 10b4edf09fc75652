//! Key rings: packets put together to keys with names and sub-keys, and signatures checked against them.

use crate::armor::{Body, decode_armor};
use crate::error::Error;
use crate::key::PublicKey;
use crate::packet::{Packet, Reader};
use crate::signature::{Signature, kind};

/// Keys that are trusted.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    entities: Vec<Entity>,
}

/// Who made a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Names of the key's owner (`Name (comment) <mail>`), in the order of the key ring.
    pub names: Vec<String>,
    /// Number of the primary key: the end of its fingerprint, or in version 6 its beginning.
    pub key_id: u64,
    /// Fingerprint of the primary key.
    pub fingerprint: Vec<u8>,
}

/// A primary key with what belongs to it.
#[derive(Clone, Debug)]
struct Entity {
    key: PublicKey,
    identities: Vec<Identity>,
    revocations: Vec<Signature>,
    subkeys: Vec<Subkey>,
    /// Version 6: what the key says about itself.
    own: Option<Signature>,
}

#[derive(Clone, Debug)]
struct Identity {
    name: Vec<u8>,
    own: Option<Signature>,
    revocations: Vec<Signature>,
}

#[derive(Clone, Debug)]
struct Subkey {
    key: PublicKey,
    binding: Signature,
    revocations: Vec<Signature>,
}

/// A key that may have made a signature.
#[derive(Clone, Copy)]
struct Candidate<'r> {
    entity: &'r Entity,
    subkey: Option<&'r Subkey>,
}

impl KeyRing {
    /// Reads a key ring of public or secret keys without armor. Keys that are not understood are left out.
    ///
    /// # Errors
    /// The bytes are no packets, or none of the keys could be read.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        Self::read_body(&Body::plain(bytes))
    }

    /// Reads an armored key ring.
    ///
    /// # Errors
    /// There is no armored key, or as [`KeyRing::read`].
    pub fn read_armored(text: &[u8]) -> Result<Self, Error> {
        let Some(block) = decode_armor(text) else {
            return Err(Error::InvalidArgument("no armored data found".to_owned()));
        };
        if !["PGP PUBLIC KEY BLOCK", "PGP PRIVATE KEY BLOCK"].contains(&block.kind.as_str()) {
            let kind = block.kind;
            return Err(Error::InvalidArgument(format!(
                "expected public or private key block, got: {kind}"
            )));
        }
        Self::read_body(&block.body)
    }

    fn read_body(body: &Body<'_>) -> Result<Self, Error> {
        let mut packets = Reader::new(body);
        let (mut entities, mut last_fault) = (Vec::new(), None);
        loop {
            match Entity::read(&mut packets) {
                Ok(Some(entity)) => entities.push(entity),
                Ok(None) => break,
                Err(error @ (Error::Structural(_) | Error::Unsupported(_))) => {
                    last_fault = Some(error);
                    if !to_next_key(&mut packets)? {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        match last_fault {
            Some(error) if entities.is_empty() => Err(error),
            _ => Ok(Self { entities }),
        }
    }

    /// Checks a detached signature over bytes; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The signature is broken, by nobody of this ring, over other bytes, or by a key that may no longer sign.
    pub fn check_detached(
        &self,
        signed: &[u8],
        signature: &Body<'_>,
        now: i64,
    ) -> Result<Signer, Error> {
        let (signature, candidates) = self.first_known(signature)?;
        let signed = match signature.kind {
            kind::BINARY => std::borrow::Cow::Borrowed(signed),
            kind::TEXT => std::borrow::Cow::Owned(canonical_text(signed)),
            other => {
                let text = format!("unsupported signature type: {other}");
                return Err(Error::unsupported(text));
            }
        };
        let mut pieces = vec![&signed[..]];
        let mut outcome = Err(Error::UnknownIssuer);
        for candidate in candidates {
            outcome = candidate.key().verify(&pieces, &signature);
            if outcome.is_ok() {
                candidate.check(&signature, now)?;
                return Ok(candidate.entity.signer());
            }
            // The hash goes on where the last key left it, in Go's library.
            pieces.push(&signature.suffix);
        }
        outcome.and(Err(Error::UnknownIssuer))
    }

    /// The first signature that is by a key of this ring.
    fn first_known(&self, body: &Body<'_>) -> Result<(Signature, Vec<Candidate<'_>>), Error> {
        let mut packets = Reader::new(body);
        while let Some(packet) = packets.next()? {
            let Packet::Signature(signature) = packet else {
                return Err(Error::structural("non signature packet found"));
            };
            let Some(id) = signature.issuer else {
                return Err(Error::structural("signature doesn't have an issuer"));
            };
            let candidates = self.signing_keys(id);
            if !candidates.is_empty() {
                return Ok((*signature, candidates));
            }
        }
        Err(Error::UnknownIssuer)
    }

    fn signing_keys(&self, id: u64) -> Vec<Candidate<'_>> {
        let mut found = Vec::new();
        for entity in &self.entities {
            let primary = entity.own_signature().0;
            if entity.key.id == id && primary.is_some_and(Signature::allows_signing) {
                let subkey = None;
                found.push(Candidate { entity, subkey });
            }
            for subkey in &entity.subkeys {
                if subkey.key.id == id && subkey.binding.allows_signing() {
                    let subkey = Some(subkey);
                    found.push(Candidate { entity, subkey });
                }
            }
        }
        found
    }
}

/// Line feeds alone become CR LF.
fn canonical_text(text: &[u8]) -> Vec<u8> {
    let (mut out, mut after_return) = (Vec::with_capacity(text.len()), false);
    for byte in text {
        if *byte == b'\n' && !after_return {
            out.push(b'\r');
        }
        out.push(*byte);
        after_return = *byte == b'\r' && !after_return;
    }
    out
}

/// Skips to the next public primary key; says whether there is one.
fn to_next_key(packets: &mut Reader<'_>) -> Result<bool, Error> {
    while let Some(packet) = packets.next()? {
        if matches!(&packet, Packet::Key(key) if !key.is_subkey && !key.is_secret) {
            packets.unread(packet);
            return Ok(true);
        }
    }
    Ok(false)
}

impl Candidate<'_> {
    fn key(&self) -> &PublicKey {
        self.subkey.map_or(&self.entity.key, |subkey| &subkey.key)
    }

    /// Whether everything that leads to the signature still holds; the order is that of Go's library.
    fn check(&self, signature: &Signature, now: i64) -> Result<(), Error> {
        let (own, identity) = self.entity.own_signature();
        let mut chain = vec![signature];
        chain.extend(own);
        if let Some(subkey) = self.subkey {
            chain.push(&subkey.binding);
            chain.extend(subkey.binding.embedded.as_deref());
        }
        let unknown = chain.iter().find_map(|one| one.critical_notations.first());
        if let Some(name) = unknown {
            return Err(Error::signature(format!(
                "unknown critical notation: {name}"
            )));
        }
        let Some(own) = own else {
            return Err(Error::KeyRevoked);
        };
        if revoked(&self.entity.revocations, now)
            || self
                .subkey
                .is_some_and(|subkey| revoked(&subkey.revocations, now))
            || identity.is_some_and(|identity| revoked(&identity.revocations, now))
        {
            return Err(Error::KeyRevoked);
        }
        let over = |subkey: &Subkey| subkey.key.expired(&subkey.binding, now);
        if self.entity.key.expired(own, now) || self.subkey.is_some_and(over) {
            return Err(Error::KeyExpired);
        }
        if chain.iter().any(|one| one.expired(now)) {
            return Err(Error::SignatureExpired);
        }
        Ok(())
    }
}

fn revoked(revocations: &[Signature], now: i64) -> bool {
    revocations
        .iter()
        .any(|one| one.compromised || !one.expired(now))
}

impl Entity {
    /// Reads a key and what belongs to it; nothing at the end.
    fn read(packets: &mut Reader<'_>) -> Result<Option<Self>, Error> {
        let key = match packets.next()? {
            None => return Ok(None),
            // A sub-key at this place is taken for a primary one.
            Some(Packet::Key(key)) => *key,
            Some(other) => {
                packets.unread(other);
                return Err(Error::structural(
                    "first packet was not a public/private key",
                ));
            }
        };
        if !key.may_be_primary() {
            return Err(Error::structural(
                "primary key cannot be used for signatures",
            ));
        }
        let mut entity = Self {
            key,
            identities: Vec::new(),
            revocations: Vec::new(),
            subkeys: Vec::new(),
            own: None,
        };
        let mut direct = Vec::new();
        while let Some(packet) = packets.next()? {
            match packet {
                Packet::UserId(name) => entity.add_identity(packets, name)?,
                Packet::Signature(one) if one.kind == kind::KEY_REVOCATION => {
                    entity.revocations.push(*one);
                }
                Packet::Signature(one) if one.kind == kind::DIRECT => direct.push(*one),
                Packet::Key(key) if key.is_subkey => entity.add_subkey(packets, *key)?,
                Packet::Key(_) => {
                    packets.unread(packet);
                    break;
                }
                Packet::Signature(_) | Packet::Other => {}
            }
        }
        entity.finish(direct)?;
        Ok(Some(entity))
    }

    fn finish(&mut self, direct: Vec<Signature>) -> Result<(), Error> {
        let version = self.key.version;
        if version < 6 && self.identities.is_empty() {
            let text = format!("v{version} entity without any identities");
            return Err(Error::structural(text));
        }
        if version == 6 {
            self.own = Some(self.newest_direct(direct)?);
        }
        for revocation in &self.revocations {
            let verified = self.key.verify(&[&self.key.hashed], revocation);
            verified
                .map_err(|_| Error::structural("revocation signature signed by alternate key"))?;
        }
        Ok(())
    }

    fn newest_direct(&self, direct: Vec<Signature>) -> Result<Signature, Error> {
        const NONE: &str = "v6 entity without a valid direct-key signature";
        const OTHERS: &str = "no valid direct-key self-signature for v6 primary key found";
        const INVALID: &str = "invalid direct-key self-signature for v6 primary key";
        if direct.is_empty() {
            return Err(Error::structural(NONE));
        }
        let mut newest: Option<Signature> = None;
        for one in direct.into_iter().filter(|one| one.is_by(&self.key)) {
            if newest.as_ref().is_none_or(|old| one.created > old.created) {
                newest = Some(one);
            }
        }
        let newest = newest.ok_or_else(|| Error::structural(OTHERS))?;
        let verified = self.key.verify(&[&self.key.hashed], &newest);
        verified.map_err(|_| Error::structural(INVALID))?;
        Ok(newest)
    }

    fn add_identity(&mut self, packets: &mut Reader<'_>, name: Vec<u8>) -> Result<(), Error> {
        let mut identity = Identity {
            name,
            own: None,
            revocations: Vec::new(),
        };
        let mut confirmed = false;
        while let Some(packet) = packets.next()? {
            let Packet::Signature(one) = packet else {
                packets.unread(packet);
                break;
            };
            let certificates = kind::GENERIC_CERTIFICATE..=kind::POSITIVE_CERTIFICATE;
            let withdraws = one.kind == kind::CERTIFICATE_REVOCATION;
            if !withdraws && !certificates.contains(&one.kind) {
                return Err(Error::structural("user ID signature with wrong type"));
            }
            if !one.is_by(&self.key) {
                continue;
            }
            let length = u32::try_from(identity.name.len()).unwrap_or(u32::MAX);
            let length = length.to_be_bytes();
            let pieces = [&self.key.hashed[..], &[0xb4], &length, &identity.name];
            self.key.verify(&pieces, &one).map_err(|error| {
                Error::structural(format!("user ID self-signature invalid: {error}"))
            })?;
            confirmed = true;
            let old = identity.own.as_ref();
            if withdraws {
                identity.revocations.push(*one);
            } else if old.is_none_or(|old| one.created > old.created) {
                identity.own = Some(*one);
            }
        }
        if confirmed {
            self.identities.retain(|old| old.name != identity.name);
            self.identities.push(identity);
        }
        Ok(())
    }

    fn add_subkey(&mut self, packets: &mut Reader<'_>, key: PublicKey) -> Result<(), Error> {
        let invalid =
            |error: Error| Error::structural(format!("subkey signature invalid: {error}"));
        let (mut binding, mut revocations) = (None::<Signature>, Vec::new());
        while let Some(packet) = packets.next().map_err(invalid)? {
            let Packet::Signature(one) = packet else {
                packets.unread(packet);
                break;
            };
            if !matches!(one.kind, kind::SUBKEY_BINDING | kind::SUBKEY_REVOCATION) {
                return Err(Error::structural("subkey signature with wrong type"));
            }
            self.verify_subkey(&key, &one).map_err(invalid)?;
            if one.kind == kind::SUBKEY_REVOCATION {
                revocations.push(*one);
            } else if binding.as_ref().is_none_or(|old| one.created > old.created) {
                binding = Some(*one);
            }
        }
        let Some(binding) = binding else {
            return Err(Error::structural("subkey packet not followed by signature"));
        };
        self.subkeys.push(Subkey {
            key,
            binding,
            revocations,
        });
        Ok(())
    }

    /// Checks that the primary key signed the sub-key, and the other way round where the sub-key may sign.
    fn verify_subkey(&self, key: &PublicKey, binding: &Signature) -> Result<(), Error> {
        let pieces = [&self.key.hashed[..], &key.hashed];
        self.key.verify(&pieces, binding)?;
        if !binding.allows_signing() {
            return Ok(());
        }
        let Some(cross) = &binding.embedded else {
            return Err(Error::structural(
                "signing subkey is missing cross-signature",
            ));
        };
        key.verify(&pieces, cross).map_err(|error| {
            Error::structural(format!("error while verifying cross-signature: {error}"))
        })
    }

    /// The signature that says what the primary key may do, and the name it belongs to.
    fn own_signature(&self) -> (Option<&Signature>, Option<&Identity>) {
        if self.key.version == 6 {
            return (self.own.as_ref(), None);
        }
        let mut primary: Option<&Identity> = None;
        for identity in &self.identities {
            if primary.is_none_or(|old| identity.goes_before(old)) {
                primary = Some(identity);
            }
        }
        (primary.and_then(|identity| identity.own.as_ref()), primary)
    }

    fn signer(&self) -> Signer {
        let names = self.identities.iter();
        Signer {
            names: names
                .map(|identity| String::from_utf8_lossy(&identity.name).into_owned())
                .collect(),
            key_id: self.key.id,
            fingerprint: self.key.fingerprint.clone(),
        }
    }
}

impl Identity {
    /// Names that hold come first, then the one that is marked, then the newest.
    fn goes_before(&self, old: &Self) -> bool {
        let (new_count, old_count) = (self.revocations.len(), old.revocations.len());
        if new_count != old_count {
            return new_count < old_count;
        }
        match (&self.own, &old.own) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(new), Some(old)) if new.is_primary_id != old.is_primary_id => new.is_primary_id,
            (Some(new), Some(old)) => new.created > old.created,
        }
    }
}
