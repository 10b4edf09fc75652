//! Key rings: packets put together to keys with names and sub-keys, and signatures checked against them.

use pgp::packet::{Packet, PublicKey, PublicSubkey, Signature, SignatureType as Kind, UserId};
use pgp::types::{
    EcdsaPublicParams, EddsaLegacyPublicParams, KeyDetails, KeyId, KeyVersion, PublicParams, Tag,
};

use crate::error::Error;
use crate::packet::Reader;
use crate::signature;

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
    name: UserId,
    own: Option<Signature>,
    revocations: Vec<Signature>,
}

#[derive(Clone, Debug)]
struct Subkey {
    key: PublicSubkey,
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
        let mut packets = Reader::new(bytes);
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

    /// Checks a detached signature without armor over bytes; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The signature is broken, by nobody of this ring, over other bytes, or by a key that may no longer sign.
    pub fn check_detached(
        &self,
        signed: &[u8],
        signature: &[u8],
        now: i64,
    ) -> Result<Signer, Error> {
        let (signature, candidates) = self.first_known(signature)?;
        match signature.typ() {
            Some(Kind::Binary | Kind::Text) => {}
            other => {
                let number = other.map_or(0, u8::from);
                let text = format!("unsupported signature type: {number}");
                return Err(Error::unsupported(text));
            }
        }
        let mut outcome = Err(Error::UnknownIssuer);
        for candidate in candidates {
            outcome = candidate.verify(&signature, signed);
            if outcome.is_ok() {
                candidate.check(&signature, now)?;
                return Ok(candidate.entity.signer());
            }
        }
        outcome.and(Err(Error::UnknownIssuer))
    }

    /// The first signature that is by a key of this ring.
    fn first_known(&self, bytes: &[u8]) -> Result<(Signature, Vec<Candidate<'_>>), Error> {
        let mut packets = Reader::new(bytes);
        while let Some(packet) = packets.next()? {
            let Packet::Signature(one) = packet else {
                return Err(Error::structural("non signature packet found"));
            };
            let Some(id) = signature::issuer(&one) else {
                return Err(Error::structural("signature doesn't have an issuer"));
            };
            let candidates = self.signing_keys(id);
            if !candidates.is_empty() {
                return Ok((one, candidates));
            }
        }
        Err(Error::UnknownIssuer)
    }

    fn signing_keys(&self, id: KeyId) -> Vec<Candidate<'_>> {
        let mut found = Vec::new();
        for entity in &self.entities {
            let primary = entity.own_signature().0;
            if entity.key.legacy_key_id() == id && primary.is_some_and(signature::allows_signing) {
                let subkey = None;
                found.push(Candidate { entity, subkey });
            }
            for subkey in &entity.subkeys {
                if subkey.key.legacy_key_id() == id && signature::allows_signing(&subkey.binding) {
                    let subkey = Some(subkey);
                    found.push(Candidate { entity, subkey });
                }
            }
        }
        found
    }
}

/// Go's words for a signature that the library found to be over other bytes, or by another key.
fn verified(outcome: Result<(), pgp::errors::Error>, key: &impl KeyDetails) -> Result<(), Error> {
    outcome.map_err(|_| {
        let name = signature::algorithm(key).unwrap_or("key");
        Error::signature(format!("{name} verification failure"))
    })
}

/// Refuses keys over curves whose signatures the library does not check, or not all of them: of
/// secp256k1 it wants the smaller of the two that are equally valid.
fn check_curve(key: &impl KeyDetails) -> Result<(), Error> {
    let curve = match key.public_params() {
        PublicParams::ECDSA(EcdsaPublicParams::Unsupported { curve, .. })
        | PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Unsupported { curve, .. }) => {
            curve.to_string()
        }
        PublicParams::ECDSA(EcdsaPublicParams::Secp256k1 { .. }) => "secp256k1".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::unsupported(format!("elliptic curve {curve}")))
}

fn is_newer(one: &Signature, than: Option<&Signature>) -> bool {
    than.is_none_or(|old| signature::created(one) > signature::created(old))
}

/// Skips to the next primary key; says whether there is one. Packets of others that the library cannot read
/// are no reason to know nobody.
fn to_next_key(packets: &mut Reader<'_>) -> Result<bool, Error> {
    loop {
        match packets.next() {
            Ok(Some(packet @ Packet::PublicKey(_))) => {
                packets.unread(packet);
                return Ok(true);
            }
            Ok(None) => return Ok(false),
            Err(Error::Structural(_)) if !packets.is_stopped() => {}
            Err(error) => return Err(error),
            Ok(Some(_)) => {}
        }
    }
}

impl Candidate<'_> {
    fn verify(&self, signature: &Signature, signed: &[u8]) -> Result<(), Error> {
        match self.subkey {
            Some(Subkey { key, .. }) => verified(signature.verify(key, signed), key),
            None => verified(signature.verify(&self.entity.key, signed), &self.entity.key),
        }
    }

    /// Whether everything that leads to the signature still holds; the order is that of Go's library.
    fn check(&self, one: &Signature, now: i64) -> Result<(), Error> {
        let (own, identity) = self.entity.own_signature();
        let mut chain = vec![one];
        chain.extend(own);
        if let Some(subkey) = self.subkey {
            chain.push(&subkey.binding);
            chain.extend(subkey.binding.embedded_signature());
        }
        let unknown = chain
            .iter()
            .find_map(|one| signature::critical_notation(one));
        if let Some(name) = unknown {
            return Err(Error::signature(format!(
                "unknown critical notation: {name}"
            )));
        }
        let Some(own) = own else {
            return Err(Error::KeyRevoked);
        };
        if signature::revoke(&self.entity.revocations, now)
            || self
                .subkey
                .is_some_and(|subkey| signature::revoke(&subkey.revocations, now))
            || identity.is_some_and(|identity| signature::revoke(&identity.revocations, now))
        {
            return Err(Error::KeyRevoked);
        }
        let over = |subkey: &Subkey| signature::is_key_expired(&subkey.key, &subkey.binding, now);
        if signature::is_key_expired(&self.entity.key, own, now) || self.subkey.is_some_and(over) {
            return Err(Error::KeyExpired);
        }
        if chain.iter().any(|one| signature::is_expired(one, now)) {
            return Err(Error::SignatureExpired);
        }
        Ok(())
    }
}

impl Entity {
    /// Reads a key and what belongs to it; nothing at the end.
    fn read(packets: &mut Reader<'_>) -> Result<Option<Self>, Error> {
        let key = match packets.next()? {
            None => return Ok(None),
            Some(Packet::PublicKey(key)) => key,
            Some(other) => {
                packets.unread(other);
                return Err(Error::structural(
                    "first packet was not a public/private key",
                ));
            }
        };
        check_curve(&key)?;
        if signature::algorithm(&key).is_none() {
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
                Packet::Signature(one) if one.typ() == Some(Kind::KeyRevocation) => {
                    entity.revocations.push(one);
                }
                Packet::Signature(one) if one.typ() == Some(Kind::Key) => direct.push(one),
                Packet::PublicSubkey(key) if check_curve(&key).is_ok() => {
                    entity.add_subkey(packets, key)?;
                }
                Packet::PublicKey(_) => {
                    packets.unread(packet);
                    break;
                }
                _ => {}
            }
        }
        entity.finish(direct)?;
        Ok(Some(entity))
    }

    fn finish(&mut self, direct: Vec<Signature>) -> Result<(), Error> {
        if self.key.version() == KeyVersion::V6 {
            self.own = Some(self.newest_direct(direct)?);
        } else if self.identities.is_empty() {
            return Err(Error::structural("v4 entity without any identities"));
        }
        for revocation in &self.revocations {
            const OTHER: &str = "revocation signature signed by alternate key";
            let outcome = revocation.verify_key(&self.key);
            outcome.map_err(|_| Error::structural(OTHER))?;
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
        for one in direct
            .into_iter()
            .filter(|one| signature::is_by(one, &self.key))
        {
            if is_newer(&one, newest.as_ref()) {
                newest = Some(one);
            }
        }
        let newest = newest.ok_or_else(|| Error::structural(OTHERS))?;
        let outcome = newest.verify_key(&self.key);
        outcome.map_err(|_| Error::structural(INVALID))?;
        Ok(newest)
    }

    fn add_identity(&mut self, packets: &mut Reader<'_>, name: UserId) -> Result<(), Error> {
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
            let withdraws = one.typ() == Some(Kind::CertRevocation);
            if !withdraws && !one.is_certification() {
                return Err(Error::structural("user ID signature with wrong type"));
            }
            if !signature::is_by(&one, &self.key) {
                continue;
            }
            let outcome = one.verify_certification(&self.key, Tag::UserId, &identity.name);
            verified(outcome, &self.key).map_err(|error| {
                Error::structural(format!("user ID self-signature invalid: {error}"))
            })?;
            confirmed = true;
            if withdraws {
                identity.revocations.push(one);
            } else if is_newer(&one, identity.own.as_ref()) {
                identity.own = Some(one);
            }
        }
        if confirmed {
            self.identities
                .retain(|old| old.name.id() != identity.name.id());
            self.identities.push(identity);
        }
        Ok(())
    }

    fn add_subkey(&mut self, packets: &mut Reader<'_>, key: PublicSubkey) -> Result<(), Error> {
        let invalid =
            |error: Error| Error::structural(format!("subkey signature invalid: {error}"));
        let (mut binding, mut revocations) = (None::<Signature>, Vec::new());
        while let Some(packet) = packets.next().map_err(invalid)? {
            let Packet::Signature(one) = packet else {
                packets.unread(packet);
                break;
            };
            let withdraws = one.typ() == Some(Kind::SubkeyRevocation);
            if !withdraws && one.typ() != Some(Kind::SubkeyBinding) {
                return Err(Error::structural("subkey signature with wrong type"));
            }
            self.verify_subkey(&key, &one).map_err(invalid)?;
            if withdraws {
                revocations.push(one);
            } else if is_newer(&one, binding.as_ref()) {
                binding = Some(one);
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
    fn verify_subkey(&self, key: &PublicSubkey, binding: &Signature) -> Result<(), Error> {
        verified(binding.verify_subkey_binding(&self.key, key), &self.key)?;
        if !signature::allows_signing(binding) {
            return Ok(());
        }
        let Some(cross) = binding.embedded_signature() else {
            return Err(Error::structural(
                "signing subkey is missing cross-signature",
            ));
        };
        verified(cross.verify_primary_key_binding(key, &self.key), key).map_err(|error| {
            Error::structural(format!("error while verifying cross-signature: {error}"))
        })
    }

    /// The signature that says what the primary key may do, and the name it belongs to.
    fn own_signature(&self) -> (Option<&Signature>, Option<&Identity>) {
        if self.key.version() == KeyVersion::V6 {
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
                .map(|identity| String::from_utf8_lossy(identity.name.id()).into_owned())
                .collect(),
            fingerprint: self.key.fingerprint().as_bytes().to_vec(),
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
            (Some(new), Some(old)) if new.is_primary() != old.is_primary() => new.is_primary(),
            (Some(new), old) => is_newer(new, old.as_ref()),
        }
    }
}
