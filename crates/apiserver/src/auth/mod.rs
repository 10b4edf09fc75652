//! Who sends a request, and what they may do.

pub mod authn;
pub mod escalation;
pub mod rbac;
pub mod review;
pub mod token;

use std::fmt;
use std::sync::Arc;

use crate::engine::{Context, Engine, Place, User};
use crate::failure::{Answered, Failure};

/// API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// Static credentials and the key that signs service-account tokens.
#[derive(Clone)]
pub struct Credentials {
    /// Bearer token of the administrator.
    pub admin_token: String,
    /// Certificate of the authority as PEM, for `kube-root-ca.crt`.
    pub authority: String,
    /// Key that signs service-account tokens.
    pub signing_key: Arc<token::SigningKey>,
    /// Further static tokens with their users (tests and simulations).
    pub tokens: Vec<(String, User)>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(redacted)")
    }
}

/// One thing that somebody wants to do.
#[derive(Clone, Debug, Default)]
pub struct Attributes<'a> {
    /// Verb, such as `get`.
    pub verb: &'a str,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Plural resource; empty for a non-resource path.
    pub resource: &'a str,
    /// Subresource; may be empty.
    pub sub: &'a str,
    /// Namespace; empty for cluster scope.
    pub namespace: &'a str,
    /// Name; may be empty.
    pub name: &'a str,
    /// Path of a non-resource request.
    pub path: &'a str,
}

impl<'a> Attributes<'a> {
    /// Describes a request to a place.
    pub fn at(verb: &'a str, place: &'a Place) -> Self {
        Self {
            verb,
            group: place.resource.group(),
            resource: place.resource.plural(),
            sub: &place.sub,
            namespace: &place.namespace,
            name: &place.name,
            path: "",
        }
    }
}

/// Refuses what the user may not do, in the server's words.
pub fn authorize(engine: &Engine, context: &Context, wanted: &Attributes<'_>) -> Answered<()> {
    if engine.rbac.allows(engine, &context.user, wanted) {
        return Ok(());
    }
    Err(forbidden(&context.user, wanted))
}

/// Builds the 403 of a refused request.
pub fn forbidden(user: &User, wanted: &Attributes<'_>) -> Box<Failure> {
    if wanted.resource.is_empty() {
        let why = format!(
            "User \"{}\" cannot {} path \"{}\"",
            user.name, wanted.verb, wanted.path
        );
        let mut failure = Failure::new(403, "Forbidden", format!("forbidden: {why}"));
        failure.empty_details = true;
        return failure;
    }
    let resource = if wanted.sub.is_empty() {
        wanted.resource.to_owned()
    } else {
        format!("{}/{}", wanted.resource, wanted.sub)
    };
    let scope = if wanted.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", wanted.namespace)
    };
    let why = format!(
        "User \"{}\" cannot {} resource \"{resource}\" in API group \"{}\" {scope}",
        user.name, wanted.verb, wanted.group
    );
    let named = crate::failure::Named {
        group: wanted.group,
        kind: wanted.resource,
        name: wanted.name,
    };
    Failure::forbidden(named, &why)
}

/// Checks the `create` that an apply to something absent needs besides `patch`.
pub fn authorize_create(engine: &Engine, context: &Context, place: &Place) -> Answered<()> {
    authorize(engine, context, &Attributes::at("create", place))
}
