//! Service-account tokens: JSON web tokens signed with ECDSA on P-256 (ES256), and the documents with which anybody can
//! check them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Response;
use objects::{Value, json};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use sha2::{Digest as _, Sha256};

use crate::engine::Engine;
use crate::failure::{Answered, Failure};
use crate::http::ResponseBody;

/// Issuer and default audience of every token.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Bytes before a P-256 point in a `SubjectPublicKeyInfo`.
const POINT_HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The key that signs tokens.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    /// Its name in tokens and in the key set: the hash of the public key.
    id: String,
}

impl SigningKey {
    /// Makes a new key; returns it as PKCS#8 in base64. Randomness is the system's, whatever the environment: keys are
    /// no part of what a seed repeats.
    pub fn generate() -> Result<String, String> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map(|document| STANDARD.encode(document.as_ref()))
            .map_err(|error| error.to_string())
    }

    /// Reads a key that [`SigningKey::generate`] made.
    pub fn read(text: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &bytes,
            &SystemRandom::new(),
        )
        .map_err(|error| error.to_string())?;
        let public = Sha256::new()
            .chain_update(POINT_HEADER)
            .chain_update(pair.public_key().as_ref());
        let id = URL_SAFE_NO_PAD.encode(public.finalize());
        Ok(Self { pair, id })
    }

    /// Describes the public key as a member of a JSON web key set.
    fn published(&self) -> Value {
        // An uncompressed point: one byte, then both coordinates.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
        json!({
            "use": "sig", "kty": "EC", "kid": self.id, "crv": "P-256", "alg": "ES256",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Namespace of the account.
    pub namespace: String,
    /// Name of the account.
    pub account: String,
    /// Uid of the account.
    pub uid: String,
    /// Unique id of the token.
    pub id: String,
    /// Audiences.
    pub audiences: Vec<String>,
    /// Seconds since 1970 at which it was issued.
    pub issued: i64,
    /// Seconds since 1970 at which it ends.
    pub expires: i64,
    /// Name and uid of the pod it is bound to.
    pub pod: Option<(String, String)>,
}

impl Claims {
    /// Signs the claims.
    pub fn sign(&self, key: &SigningKey) -> Answered<String> {
        let mut account = json!({
            "namespace": self.namespace,
            "serviceaccount": {"name": self.account, "uid": self.uid},
        });
        if let Some((name, uid)) = &self.pod {
            account["pod"] = json!({"name": name, "uid": uid});
        }
        let claims = json!({
            "iss": ISSUER, "aud": self.audiences, "exp": self.expires, "iat": self.issued,
            "nbf": self.issued, "jti": self.id, "kubernetes.io": account,
            "sub": format!("system:serviceaccount:{}:{}", self.namespace, self.account),
        });
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "ES256", "kid": key.id}).to_string());
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = key.pair.sign(&SystemRandom::new(), text.as_bytes());
        let signature = signature
            .map_err(|_| Failure::internal("the token could not be signed: no randomness"))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Reads a token whose signature is right; times and account are not checked here.
    pub fn verify(token: &str, key: &SigningKey) -> Option<Self> {
        let (text, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.pair.public_key());
        public.verify(text.as_bytes(), &signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(text.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let account = &claims["kubernetes.io"];
        Some(Self {
            namespace: text(&account["namespace"]),
            account: text(&account["serviceaccount"]["name"]),
            uid: text(&account["serviceaccount"]["uid"]),
            id: text(&claims["jti"]),
            audiences: claims["aud"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect(),
            issued: claims["iat"].as_i64()?,
            expires: claims["exp"].as_i64()?,
            pod: account
                .get("pod")
                .map(|pod| (text(&pod["name"]), text(&pod["uid"]))),
        })
    }
}

/// Compares without telling by its time where the difference is.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Says why a token is refused, as far as upstream says it to who reviews tokens.
pub fn complaint(engine: &Engine, token: &str, audiences: &[String]) -> String {
    const INVALID: &str = "invalid bearer token";
    let Some(claims) = Claims::verify(token, &engine.credentials.signing_key) else {
        return INVALID.to_owned();
    };
    let now = engine.environment.clock.now().as_second();
    let why = if now >= claims.expires {
        "service account token has expired".to_owned()
    } else if !claims.audiences.iter().any(|a| audiences.contains(a)) {
        format!(
            "token audiences {} is invalid for the target audiences {}",
            quoted(&claims.audiences),
            quoted(audiences)
        )
    } else {
        "service account token has been invalidated".to_owned()
    };
    format!("[{INVALID}, {why}]")
}

/// Writes texts as Go's `%q` does.
fn quoted(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    format!("[{}]", quoted.join(" "))
}

/// Answers the issuer's documents, with which others can check tokens.
pub fn keys(engine: &Engine, path: &str, accept: &str) -> Answered<Response<ResponseBody>> {
    const KEY_SET: &str = "application/jwk-set+json";
    let (media, body) = if path.ends_with("jwks") {
        let fits = |part: &str| {
            let media = part.split(';').next().unwrap_or("").trim();
            matches!(media, "" | "*/*" | "application/*" | KEY_SET)
        };
        if !accept.split(',').any(fits) {
            let why = format!("406: Not Acceptable\n\nAvailable representations: {KEY_SET}");
            let mut failure = Failure::new(406, "NotAcceptable", why);
            failure.empty_details = true;
            return Err(failure);
        }
        let key = engine.credentials.signing_key.published();
        (KEY_SET, json!({ "keys": [key] }))
    } else {
        crate::http::accepts_json(accept)?;
        let document = json!({
            "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/openid/v1/jwks"),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        ("application/json", document)
    };
    Ok(crate::http::public(media, &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            namespace: "apps".into(),
            account: "deployer".into(),
            uid: "1".into(),
            id: "2".into(),
            audiences: vec![ISSUER.into()],
            issued: 10,
            expires: 20,
            pod: Some(("p".into(), "3".into())),
        }
    }

    #[test]
    fn a_token_is_read_again_by_its_key_alone() {
        let key = SigningKey::read(&SigningKey::generate().unwrap()).unwrap();
        let token = claims().sign(&key).unwrap();
        assert_eq!(Claims::verify(&token, &key), Some(claims()));
        let other = SigningKey::read(&SigningKey::generate().unwrap()).unwrap();
        assert_eq!(Claims::verify(&token, &other), None);
        let (text, signature) = token.rsplit_once('.').unwrap();
        let (head, body) = text.split_once('.').unwrap();
        let forged = body.replace(&body[20..24], "AAAA");
        assert_eq!(
            Claims::verify(&format!("{head}.{forged}.{signature}"), &key),
            None
        );
        assert_eq!(Claims::verify("", &key), None);
        assert_eq!(Claims::verify("a.b.c", &key), None);
    }

    #[test]
    fn the_published_key_checks_the_token() {
        let key = SigningKey::read(&SigningKey::generate().unwrap()).unwrap();
        let published = key.published();
        let mut point = vec![4];
        for name in ["x", "y"] {
            let text = published[name].as_str().unwrap();
            point.extend(URL_SAFE_NO_PAD.decode(text).unwrap());
        }
        let token = claims().sign(&key).unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(text.as_bytes(), &signature)
            .unwrap();
    }
}
