//! Authentication: bearer tokens, anonymous requests, impersonation.

use std::borrow::Cow;

use http::HeaderMap;

use super::token::{Claims, ISSUER, equal};
use super::{Attributes, authorize};
use crate::engine::{Context, Engine, User, percent_decode};
use crate::failure::{Answered, Failure};
use crate::http::{Certificate, Incoming};

/// Finds out who sends a request; bad credentials are refused.
pub fn authenticate(engine: &Engine, incoming: &Incoming) -> Answered<User> {
    if let Some(Certificate::Of(user)) = &incoming.certificate {
        return Ok(user.clone());
    }
    let unauthorized = || Failure::new(401, "Unauthorized", "Unauthorized");
    let nobody = || match incoming.certificate {
        Some(Certificate::Unknown) => Err(unauthorized()),
        _ => Ok(User::anonymous()),
    };
    let header = incoming.headers.get("authorization").map(lossy);
    let header = header.as_deref().unwrap_or_default();
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return nobody(),
    };
    if token.is_empty() {
        return nobody();
    }
    by_token(engine, token, ISSUER)
        .map(|(mut user, _)| {
            user.groups.push("system:authenticated".into());
            user.groups.dedup();
            user
        })
        .ok_or_else(unauthorized)
}

/// Finds the user of a token that is meant for an audience; `system:authenticated` is not added.
pub fn by_token(engine: &Engine, token: &str, audience: &str) -> Option<(User, Vec<String>)> {
    let credentials = &engine.credentials;
    if equal(token.as_bytes(), credentials.admin_token.as_bytes()) {
        return Some((User::admin(), vec![ISSUER.to_owned()]));
    }
    let fixed = credentials
        .tokens
        .iter()
        .find(|(known, _)| equal(token.as_bytes(), known.as_bytes()));
    if let Some((_, user)) = fixed {
        return Some((user.clone(), vec![ISSUER.to_owned()]));
    }
    let claims = Claims::verify(token, &credentials.signing_key)?;
    let now = engine.environment.clock.now().as_second();
    if now >= claims.expires || !claims.audiences.iter().any(|a| a == audience) {
        return None;
    }
    let key = crate::store::key(&claims.namespace, &claims.account);
    let account = engine.store.get("/serviceaccounts", &key)?;
    if account.meta.uid != claims.uid {
        return None;
    }
    let mut user = service_account(&claims.namespace, &claims.account);
    user.uid = claims.uid;
    let extra = [(
        "authentication.kubernetes.io/credential-id".to_owned(),
        vec![format!("JTI={}", claims.id)],
    )];
    user.extra.extend(extra);
    if let Some((name, uid)) = claims.pod {
        let pod = engine
            .store
            .get("/pods", &crate::store::key(&claims.namespace, &name))?;
        if pod.meta.uid != uid {
            return None;
        }
        user.extra
            .insert("authentication.kubernetes.io/pod-name".into(), vec![name]);
        user.extra
            .insert("authentication.kubernetes.io/pod-uid".into(), vec![uid]);
    }
    Some((user, vec![audience.to_owned()]))
}

/// Builds the user of a service account, without `system:authenticated`.
pub fn service_account(namespace: &str, name: &str) -> User {
    User {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
        ],
        ..User::default()
    }
}

/// Reads a header's value as UTF-8, as far as it is.
fn lossy(value: &http::HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// Switches to the user that the impersonation headers name, where the sender may.
pub fn impersonate(engine: &Engine, context: &Context, headers: &HeaderMap) -> Answered<User> {
    // Names may be in any script; one that could not be read must not leave the sender's own rights.
    let user = headers.get("impersonate-user").map(lossy);
    let user = user.as_deref().unwrap_or_default();
    let groups: Vec<_> = headers
        .get_all("impersonate-group")
        .iter()
        .map(lossy)
        .collect();
    let uid = headers.get("impersonate-uid").map(lossy);
    let uid = uid.as_deref().unwrap_or_default();
    let extra: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| {
            let key = name.as_str().strip_prefix("impersonate-extra-")?;
            Some((percent_decode(key, false), lossy(value).into_owned()))
        })
        .collect();
    if user.is_empty() {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(context.user.clone());
        }
        // Upstream prints object references: kind, namespace, name, uid, apiVersion, resourceVersion, fieldPath.
        const REVIEW: &str = "authentication.k8s.io/v1";
        let mut wanted: Vec<String> = groups
            .iter()
            .map(|group| format!("{{Group  {group}    }}"))
            .collect();
        wanted.extend(
            extra
                .iter()
                .map(|(key, value)| format!("{{UserExtra  {value}  {REVIEW}  {key}}}")),
        );
        if !uid.is_empty() {
            wanted.push(format!("{{UID  {uid}  {REVIEW}  }}"));
        }
        let mut failure = Failure::bad_request(format!(
            "requested [{}] without impersonating a user",
            wanted.join(" ")
        ));
        failure.no_sniff = true;
        return Err(failure);
    }
    let requested = User {
        name: user.to_owned(),
        uid: uid.to_owned(),
        groups: groups.iter().map(ToString::to_string).collect(),
        extra: extra.iter().fold(
            Default::default(),
            |mut map: std::collections::BTreeMap<String, Vec<String>>, (key, value)| {
                map.entry(key.clone()).or_default().push(value.clone());
                map
            },
        ),
    };
    become_user(engine, context, requested)
}

/// Checks that the sender may act as a user, and completes that user's groups.
pub fn become_user(engine: &Engine, context: &Context, mut wanted: User) -> Answered<User> {
    let account = wanted
        .name
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'))
        .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    match &account {
        Some((namespace, name)) => authorize(
            engine,
            context,
            &Attributes {
                verb: "impersonate",
                resource: "serviceaccounts",
                namespace,
                name,
                ..Attributes::default()
            },
        )?,
        None => authorize(engine, context, &impersonation("users", &wanted.name))?,
    }
    for group in &wanted.groups {
        authorize(engine, context, &impersonation("groups", group))?;
    }
    if !wanted.uid.is_empty() {
        let mut attributes = impersonation("uids", &wanted.uid);
        attributes.group = "authentication.k8s.io";
        authorize(engine, context, &attributes)?;
    }
    for (key, values) in &wanted.extra {
        for value in values {
            let mut attributes = impersonation("userextras", value);
            attributes.group = "authentication.k8s.io";
            attributes.sub = key;
            authorize(engine, context, &attributes)?;
        }
    }
    if let Some((namespace, name)) = &account
        && wanted.groups.is_empty()
    {
        wanted.groups = service_account(namespace, name).groups;
    }
    let everyone = if wanted.name == "system:anonymous" {
        "system:unauthenticated"
    } else {
        "system:authenticated"
    };
    if !wanted.groups.iter().any(|group| group == everyone) {
        wanted.groups.push(everyone.to_owned());
    }
    Ok(wanted)
}

fn impersonation<'a>(resource: &'a str, name: &'a str) -> Attributes<'a> {
    Attributes {
        verb: "impersonate",
        resource,
        name,
        ..Attributes::default()
    }
}
