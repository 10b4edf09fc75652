//! Signatures of keys by gpg 2.2 and go-crypto 1.4, judged as `helm template --verify` of Helm 4.2.4 judged them.
//!
//! `tests/golden/signatures.jsonl` has key rings, clear-signed messages, and the error (or none) of each pair.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openpgp::{ClearSigned, KeyRing};
use proptest::prelude::{any, prop};

/// When the outcomes were recorded.
const NOW: i64 = 1_795_264_149;

/// Lines of the golden: objects whose values are texts.
fn lines() -> Vec<BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/signatures.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Bytes of the golden's key rings or messages by name.
fn named(kind: &str) -> BTreeMap<String, Vec<u8>> {
    lines()
        .into_iter()
        .filter_map(|line| {
            Some((
                line.get(kind)?.clone(),
                STANDARD.decode(&line["bytes"]).unwrap(),
            ))
        })
        .collect()
}

fn judge(ring: &[u8], message: &[u8]) -> Result<(), String> {
    let keys = KeyRing::read(ring).map_err(|error| format!("failed to load keyring: {error}"))?;
    let message = ClearSigned::parse(message).ok_or("signature block not found")?;
    let signer = message.check(&keys, NOW);
    signer.map(|_| ()).map_err(|error| error.to_string())
}

/// Key rings that go-crypto reads and this crate refuses, and why.
const KNOWN: &[(&str, &str)] = &[
    ("brainpoolP384r1.gpg", "the library only names the curve"),
    ("brainpoolP512r1.gpg", "the library only names the curve"),
    (
        "secp256k1.gpg",
        "the library takes only signatures with a small s, which gpg does not see to",
    ),
];

#[test]
fn signatures_are_judged_as_helm_judges_them() {
    let (rings, messages) = (named("ring"), named("message"));
    let (mut cases, mut wrong) = (0, Vec::new());
    for line in lines() {
        let Some(keys) = line.get("keys") else {
            continue;
        };
        let (text, expected) = (&line["text"], &line["error"]);
        let actual = judge(&rings[keys], &messages[text])
            .err()
            .unwrap_or_default();
        cases += 1;
        if KNOWN.iter().any(|(known, _)| known == keys) {
            assert!(
                actual.contains("unsupported feature: elliptic curve"),
                "{keys}: {actual}"
            );
        } else if actual != *expected {
            wrong.push(format!("{text} with {keys}: {expected:?}, but {actual:?}"));
        }
    }
    assert!(cases > 100, "{cases}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn signers_are_named() {
    let (rings, messages) = (named("ring"), named("message"));
    let keys = KeyRing::read(&rings["all.gpg"]).unwrap();
    let message = ClearSigned::parse(&messages["names"]).unwrap();
    let signer = message.check(&keys, NOW).unwrap();
    assert_eq!(signer.names.len(), 3, "{:?}", signer.names);
    assert_eq!(signer.names[0], "names <names@example.org>");
    assert_eq!(signer.fingerprint.len(), 20);
}

/// Every changed byte of what is signed, and of the signature, is noticed.
#[test]
fn changed_messages_are_refused() {
    let (rings, messages) = (named("ring"), named("message"));
    for name in [
        "rsa2048",
        "dsa2048",
        "nistp256",
        "nistp521",
        "v4ed25519new",
        "v4ed448",
        "v6ed",
    ] {
        let keys = KeyRing::read(&rings[&format!("{name}.gpg")]).unwrap();
        let message = ClearSigned::parse(&messages[name]).unwrap();
        for at in (0..message.signed.len()).step_by(23) {
            let mut signed = message.signed.clone();
            signed[at] ^= 1;
            keys.check_detached(&signed, message.signature.as_ref().unwrap(), NOW)
                .expect_err(name);
        }
        let signature = message.signature.unwrap();
        keys.check_detached(&message.signed, &signature, NOW)
            .unwrap();
        let length = signature.len();
        for at in (length - 30..length).step_by(7) {
            let mut signature = signature.clone();
            signature[at] ^= 1;
            keys.check_detached(&message.signed, &signature, NOW)
                .expect_err(name);
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_panic(
        ring in prop::sample::select(named("ring").into_values().collect::<Vec<_>>()),
        message in prop::sample::select(named("message").into_values().collect::<Vec<_>>()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..6),
    ) {
        let (mut ring, mut message) = (ring, message);
        for (at, byte, in_ring) in edits {
            let text = if in_ring { &mut ring } else { &mut message };
            if !text.is_empty() {
                let at = at.index(text.len());
                text[at] = byte;
            }
        }
        let _ = judge(&ring, &message);
        let _ = KeyRing::read(&message);
    }
}
