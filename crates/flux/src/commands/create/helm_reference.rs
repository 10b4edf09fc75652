//! References in flags of Helm commands: charts' sources, chart references, values, dependencies, providers.

use objects::{Map, Value};

use super::set_text;

/// A chart's source as written: `KIND/NAME`.
#[derive(Clone, Debug)]
pub struct ChartSource {
    /// Kind in its proper case.
    pub kind: String,
    /// Everything after the slash.
    pub name: String,
}

const CHART_SOURCES: [&str; 3] = ["HelmRepository", "GitRepository", "Bucket"];
const PROVIDERS: [&str; 4] = ["generic", "aws", "azure", "gcp"];

/// Reads `--source` of charts and releases.
pub fn chart_source(text: &str) -> Result<ChartSource, String> {
    if text.trim().is_empty() {
        return Err(
            "no helm chart source given, please specify source in format <kind>/<name>".to_owned(),
        );
    }
    let whole = |(kind, name): &(&str, &str)| {
        !kind.is_empty() && !name.contains('/') && !name_and_namespace(name).0.is_empty()
    };
    let Some((kind, name)) = text.split_once('/').filter(whole) else {
        return Err(format!(
            "invalid helm chart source '{text}', must be in format <kind>/<name>"
        ));
    };
    let known = CHART_SOURCES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(kind));
    let Some(known) = known else {
        return Err(format!(
            "source kind '{kind}' is not supported, must be one of: {}",
            CHART_SOURCES.join(", ")
        ));
    };
    Ok(ChartSource {
        kind: (*known).to_owned(),
        name: name.to_owned(),
    })
}

/// Reads `--provider` of OCI sources.
pub fn oci_provider(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("no source OCI provider given, please specify the OCI provider name".to_owned()),
        known if PROVIDERS.contains(&known) => Ok(known.to_owned()),
        _ => Err(format!(
            "source OCI provider '{text}' is not supported, must be one of: {}",
            PROVIDERS.join(", ")
        )),
    }
}

/// Reads `--verify-provider`.
pub fn verify_provider(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => {
            Err("no source OCI verify provider given, please specify the provider name".to_owned())
        }
        "cosign" => Ok("cosign".to_owned()),
        _ => Err(format!(
            "source OCI verify provider '{text}' is not supported, must be one of: cosign"
        )),
    }
}

/// Splits the last `.NAMESPACE` off a name.
pub fn name_and_namespace(text: &str) -> (&str, &str) {
    text.rsplit_once('.').unwrap_or((text, ""))
}

/// Flags of signature verification.
#[derive(clap::Args, Debug)]
pub struct Verify {
    /// Who checks signatures: cosign.
    #[arg(long, value_parser = verify_provider)]
    verify_provider: Option<String>,
    /// Secret with public keys.
    #[arg(long, default_value = "", hide_default_value = true)]
    verify_secret_ref: String,
    /// Pattern of the signer's identity.
    #[arg(long, default_value = "", hide_default_value = true)]
    verify_subject: String,
    /// Pattern of the identity's issuer.
    #[arg(long, default_value = "", hide_default_value = true)]
    verify_issuer: String,
}

impl Verify {
    /// Returns `spec.verify`; `None` where nothing is verified.
    ///
    /// # Errors
    /// A Secret or an identity without a provider.
    pub fn spec(&self) -> Result<Option<Map>, &'static str> {
        let has_identity = !self.verify_issuer.is_empty() || !self.verify_subject.is_empty();
        let Some(provider) = &self.verify_provider else {
            return match (self.verify_secret_ref.is_empty(), has_identity) {
                (false, _) => {
                    Err("a verification provider must be specified when a secret is specified")
                }
                (_, true) => Err(
                    "a verification provider must be specified when OIDC issuer/subject is specified",
                ),
                _ => Ok(None),
            };
        };
        let mut verify = Map::new();
        set_text(&mut verify, "provider", provider);
        super::set_reference(&mut verify, "secretRef", &self.verify_secret_ref);
        if has_identity {
            let identity =
                objects::json!({"issuer": self.verify_issuer, "subject": self.verify_subject});
            verify.insert("matchOIDCIdentity".to_owned(), Value::from(vec![identity]));
        }
        Ok(Some(verify))
    }
}
