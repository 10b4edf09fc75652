//! Service-account tokens: signed JSON web tokens (HS256, the key never leaves the server).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use objects::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::engine::Engine;
use crate::failure::Answered;
use crate::http::ResponseBody;

/// Issuer and default audience of every token.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

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
    pub fn sign(&self, key: &[u8; 32]) -> String {
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
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(hmac(key, text.as_bytes()));
        format!("{text}.{signature}")
    }

    /// Reads a token whose signature is right; times and account are not checked here.
    pub fn verify(token: &str, key: &[u8; 32]) -> Option<Self> {
        let (text, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !equal(&signature, &hmac(key, text.as_bytes())) {
            return None;
        }
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

/// HMAC-SHA-256 (RFC 2104); the key is shorter than a block.
fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let padded = |byte: u8| {
        let mut block = [byte; 64];
        for (slot, key) in block.iter_mut().zip(key) {
            *slot ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message);
    let outer = Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}

/// Compares without telling by its time where the difference is.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Answers the issuer's documents. The keys are empty: tokens are checked by this server alone.
pub fn keys(engine: &Engine, path: &str) -> Answered<Response<ResponseBody>> {
    let _ = engine;
    let body = if path.ends_with("jwks") {
        json!({"keys": []})
    } else {
        json!({
            "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/openid/v1/jwks"),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256"],
        })
    };
    Ok(crate::http::json(200, &body))
}
