//! Secrets of a GitRepository turned into credentials, with upstream's checks and texts.

use api::GitRepositorySpec;
use api::names::{self, reason};
use controller_runtime::Run;
use git::Auth;
use reconcile::source::{Class, Problem};
use url::Url;

use crate::source::secrets::{self, Data};

const GITHUB_APP_ID: &str = "githubAppID";
const GATE: &str = "ObjectLevelWorkloadIdentity";

/// Local repositories need no credentials; what their owner wants verified is refused all the same.
pub(super) async fn none(run: &Run, spec: &GitRepositorySpec) -> Result<Auth, Problem> {
    check_verification(run, spec).await?;
    Ok(Auth::default())
}

/// Reads the Secrets that a remote repository names.
pub(super) async fn resolve(run: &Run, spec: &GitRepositorySpec) -> Result<Auth, Problem> {
    let namespace = &run.key.namespace;
    let proxy = match &spec.proxy_secret_ref {
        Some(reference) => {
            let secret = secrets::read_referenced(run, &reference.name).await;
            let proxy = secret.and_then(|secret| secret.proxy());
            Some(proxy.map_err(|error| {
                let message = format!("failed to configure proxy options: {error}");
                Problem::fetch(reason::AUTHENTICATION_FAILED, message)
            })?)
        }
        None => None,
    };
    let url = Url::parse(&spec.url).map_err(|error| {
        let message = format!("failed to parse url '{}': {error}", spec.url);
        stalling(reason::URL_INVALID, message)
    })?;
    let data = match &spec.secret_ref {
        Some(reference) => {
            let secret = secrets::read(run, &reference.name).await;
            let failed = |error: cluster::Error| {
                let name = &reference.name;
                // Upstream says it twice.
                let once = format!("failed to get secret '{namespace}/{name}'");
                let message = format!("{once}: {once}: {error}");
                Problem::fetch(reason::AUTHENTICATION_FAILED, message)
            };
            secret.map_err(failed)?.data
        }
        None => Data::new(),
    };
    let mut auth = Auth::from_secret(&url, &data).map_err(|error| {
        let message = format!("failed to configure authentication options: {error}");
        Problem::fetch(reason::AUTHENTICATION_FAILED, message)
    })?;
    check_provider(spec, &data, namespace)?;
    check_verification(run, spec).await?;
    auth.proxy = proxy;
    Ok(auth)
}

fn stalling(reason: &'static str, message: impl Into<String>) -> Problem {
    Problem::new(Class::Stalling, names::FETCH_FAILED, reason, message)
}

/// Checks the provider against the Secret; logging in to clouds is not there yet.
fn check_provider(spec: &GitRepositorySpec, data: &Data, namespace: &str) -> Result<(), Problem> {
    const WITHOUT_DATA: &str =
        "secretRef with github app data must be specified when provider is set to github";
    let reason = reason::INVALID_PROVIDER_CONFIGURATION;
    let has_app = data.get(GITHUB_APP_ID).is_some_and(|id| !id.is_empty());
    match (
        spec.provider.as_deref().unwrap_or("generic"),
        &spec.secret_ref,
    ) {
        ("github", None) => Err(stalling(reason, WITHOUT_DATA)),
        ("github", Some(_)) if !has_app => Err(Problem::fetch(reason, WITHOUT_DATA)),
        ("aws" | "azure", _) if spec.service_account_name.is_some() => Err(stalling(
            reason::FEATURE_GATE_DISABLED,
            format!(
                "to use spec.serviceAccountName for provider authentication please enable the {GATE} feature gate in the controller"
            ),
        )),
        (provider @ ("github" | "aws" | "azure"), _) => Err(stalling(
            reason,
            format!("authentication by provider '{provider}' is not supported yet"),
        )),
        (_, Some(reference)) if has_app => Err(Problem::fetch(
            reason,
            format!(
                "secretRef '{namespace}/{}' has github app data but provider is not set to github",
                reference.name
            ),
        )),
        _ => Ok(()),
    }
}

/// Refuses verification, which is not there yet: an unverified commit must not pass as verified.
async fn check_verification(run: &Run, spec: &GitRepositorySpec) -> Result<(), Problem> {
    let Some(verify) = &spec.verify else {
        return Ok(());
    };
    let verified = names::SOURCE_VERIFIED;
    if let Err(error) = secrets::read(run, &verify.secret_ref.name).await {
        let message = format!("public keys secret error: {error}");
        let reason = reason::VERIFICATION_ERROR;
        return Err(Problem::new(Class::Generic, verified, reason, message));
    }
    Err(Problem::new(
        Class::Stalling,
        verified,
        reason::VERIFICATION_ERROR,
        "signature verification is not supported yet",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::LocalObjectReference;

    fn data(keys: &[(&str, &str)]) -> Data {
        keys.iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn providers_are_checked_against_the_secret() {
        let spec = |provider: Option<&str>, secret: bool| GitRepositorySpec {
            provider: provider.map(str::to_owned),
            secret_ref: secret.then(|| LocalObjectReference { name: "s".into() }),
            ..Default::default()
        };
        let app = data(&[(GITHUB_APP_ID, "1")]);
        for (name, spec, data, expected) in [
            ("nothing set", spec(None, false), Data::new(), None),
            (
                "github without secret",
                spec(Some("github"), false),
                Data::new(),
                Some((Class::Stalling, "secretRef with github app data must be")),
            ),
            (
                "github without data",
                spec(Some("github"), true),
                Data::new(),
                Some((Class::Generic, "secretRef with github app data must be")),
            ),
            (
                "data without github",
                spec(None, true),
                app,
                Some((Class::Generic, "secretRef 'ns/s' has github app data but")),
            ),
            (
                "clouds",
                spec(Some("azure"), false),
                Data::new(),
                Some((Class::Stalling, "authentication by provider 'azure'")),
            ),
        ] {
            let got = check_provider(&spec, &data, "ns").err();
            match (got, expected) {
                (None, None) => {}
                (Some(problem), Some((class, text))) => {
                    assert_eq!(problem.class, class, "{name}");
                    assert!(problem.message.starts_with(text), "{name}: {problem:?}");
                }
                (got, _) => panic!("{name}: {got:?}"),
            }
        }
    }
}
