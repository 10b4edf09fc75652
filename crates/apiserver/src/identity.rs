//! What makes a server the same one after a restart: its authority, its tokens, its signing key.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::auth::Credentials;
use crate::auth::token::SigningKey;
use crate::engine::User;
use crate::environment::Environment;
use crate::http::tls::Authority;
use crate::server::Error;

const FILE: &str = "identity.json";

/// Keys and tokens of a server.
#[derive(Serialize, Deserialize)]
pub struct Identity {
    /// The certificate authority.
    pub authority: Authority,
    admin_token: String,
    /// PKCS#8 in base64; absent in folders of earlier versions, whose tokens are not valid any more.
    #[serde(default)]
    token_key: String,
}

impl Identity {
    /// Makes a new identity.
    pub fn generate(environment: &Environment) -> Result<Self, Error> {
        let authority = Authority::generate();
        let authority = authority.map_err(|error| Error::Certificate(error.to_string()))?;
        let random =
            || hex::encode(environment.ids.bytes()) + &hex::encode(environment.ids.bytes());
        Ok(Self {
            authority,
            admin_token: random(),
            token_key: SigningKey::generate().map_err(Error::Certificate)?,
        })
    }

    /// Reads the identity of a folder, or makes one and keeps it there for its owner alone.
    pub fn load_or_generate(folder: &Path, environment: &Environment) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let failed = |reason: String| Error::Data {
            path: path.clone(),
            reason,
        };
        match std::fs::read(&path) {
            Ok(bytes) => {
                let mut identity: Self =
                    serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
                if identity.token_key.is_empty() {
                    identity.token_key = SigningKey::generate().map_err(failed)?;
                    identity
                        .save(folder)
                        .map_err(|error| failed(error.to_string()))?;
                }
                Ok(identity)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let identity = Self::generate(environment)?;
                identity
                    .save(folder)
                    .map_err(|error| failed(error.to_string()))?;
                Ok(identity)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn save(&self, folder: &Path) -> std::io::Result<()> {
        let temporary = folder.join("identity.new");
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, folder.join(FILE))
    }

    /// Builds the credentials, with further static tokens.
    pub fn credentials(
        &self,
        tokens: &[(String, cluster::Identity)],
    ) -> Result<Credentials, Error> {
        let signing_key = SigningKey::read(&self.token_key).map_err(Error::Certificate)?;
        let tokens = tokens.iter().map(|(token, identity)| {
            let user = User {
                name: identity.user.clone(),
                groups: identity.groups.clone(),
                ..User::default()
            };
            (token.clone(), user)
        });
        Ok(Credentials {
            authority: self.authority.certificate.clone(),
            admin_token: self.admin_token.clone(),
            signing_key: Arc::new(signing_key),
            tokens: tokens.collect(),
        })
    }
}
