//! Paths: what a URL names.

use crate::catalog::Catalog;
use crate::engine::{Place, percent_decode};

/// What a path names.
#[derive(Debug)]
pub enum Route {
    /// `/healthz`, `/livez`, `/readyz`, with their checks.
    Health(String),
    /// `/version`.
    Version,
    /// `/metrics`.
    Metrics,
    /// `/`.
    Root,
    /// A discovery document.
    Discovery(Document),
    /// `/openapi/…`, without that prefix.
    OpenApi(String),
    /// `/.well-known/openid-configuration` or `/openid/v1/jwks`.
    Keys(String),
    /// A collection, an object or a subresource.
    Resource {
        /// The place.
        place: Place,
        /// Whether the old `/watch/` prefix was used.
        watch: bool,
    },
    /// A resource that a known group and version does not have.
    NoResource(Asked),
    /// Nothing.
    Unknown(Asked),
}

/// What a path asks for below a group and version, whether or not it is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// API group.
    pub group: String,
    /// Namespace; may be empty.
    pub namespace: String,
    /// Plural resource; empty where the path ends before it.
    pub resource: String,
    /// Name; may be empty.
    pub name: String,
    /// Subresource; may be empty.
    pub sub: String,
}

/// A discovery document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// `/api`.
    Api,
    /// `/apis`.
    Apis,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    Version(String, String),
}

/// Finds out what a path names.
pub fn parse(catalog: &Catalog, path: &str) -> Route {
    if path.starts_with("//") {
        return Route::Unknown(Asked::default());
    }
    // As upstream does, which reads an escaped slash as any other.
    let decoded = percent_decode(path, false);
    let trimmed = decoded.trim_matches('/');
    let parts: Vec<&str> = if trimmed.is_empty() {
        Vec::new()
    } else {
        trimmed.split('/').collect()
    };
    match parts.as_slice() {
        [] => Route::Root,
        ["version"] => Route::Version,
        ["metrics"] => Route::Metrics,
        ["healthz" | "livez" | "readyz", ..] => Route::Health(trimmed.to_owned()),
        ["openapi", rest @ ..] => Route::OpenApi(rest.join("/")),
        [".well-known", "openid-configuration"] | ["openid", "v1", "jwks"] => {
            Route::Keys(trimmed.to_owned())
        }
        ["api"] => Route::Discovery(Document::Api),
        ["apis"] => Route::Discovery(Document::Apis),
        ["apis", group] if catalog.group(group).is_some() => {
            Route::Discovery(Document::Group((*group).to_owned()))
        }
        ["api", version, rest @ ..] => versioned(catalog, "", version, rest),
        ["apis", group, version, rest @ ..] => versioned(catalog, group, version, rest),
        _ => Route::Unknown(Asked::default()),
    }
}

/// Tells whether every `%` of a path begins an escape.
pub fn well_escaped(path: &str) -> bool {
    let bytes = path.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut places = (0..bytes.len()).filter(|at| bytes[*at] == b'%');
    places.all(|at| digit(at + 1) && digit(at + 2))
}

fn versioned(catalog: &Catalog, group: &str, version: &str, rest: &[&str]) -> Route {
    let asked = asked(group, rest);
    let known = catalog
        .group(group)
        .is_some_and(|g| g.versions.iter().any(|v| v == version));
    if !known {
        let builtin = catalog.group(group).is_some() && custom_free(catalog, group);
        return if builtin {
            Route::NoResource(asked)
        } else {
            Route::Unknown(asked)
        };
    }
    if rest.is_empty() {
        return Route::Discovery(Document::Version(group.to_owned(), version.to_owned()));
    }
    let (watch, rest) = match rest {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        rest => (false, rest),
    };
    match place(catalog, group, version, rest) {
        Some(place) => Route::Resource { place, watch },
        None if catalog
            .of_version(group, version)
            .any(|r| r.custom.is_some()) =>
        {
            Route::Unknown(asked)
        }
        None => Route::NoResource(asked),
    }
}

/// Reads the parts of a path that nobody serves as a served one's.
fn asked(group: &str, rest: &[&str]) -> Asked {
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let part = |at: usize| rest.get(at).map_or("", |part| part).to_owned();
    Asked {
        group: group.to_owned(),
        namespace: namespace.to_owned(),
        resource: part(0),
        name: part(1),
        sub: part(2),
    }
}

fn custom_free(catalog: &Catalog, group: &str) -> bool {
    let mut resources = catalog.resources.iter().filter(|r| r.group() == group);
    resources.all(|r| r.custom.is_none())
}

fn place(catalog: &Catalog, group: &str, version: &str, rest: &[&str]) -> Option<Place> {
    let (namespace, rest) = match rest {
        ["namespaces", namespace, resource, ..]
            if !(group.is_empty() && matches!(*resource, "status" | "finalize")) =>
        {
            (*namespace, &rest[2..])
        }
        rest => ("", rest),
    };
    let (plural, name, sub) = match rest {
        [plural] => (*plural, "", String::new()),
        [plural, name] => (*plural, *name, String::new()),
        [plural, name, sub @ ..] => (*plural, *name, sub.join("/")),
        [] => return None,
    };
    let resource = catalog.find(group, version, plural)?;
    if resource.api.namespaced && namespace.is_empty() && !name.is_empty() {
        return None;
    }
    if !resource.api.namespaced && !namespace.is_empty() {
        return None;
    }
    let sub = match sub.split_once('/') {
        Some((first, _)) if first == "proxy" => first.to_owned(),
        Some(_) => return None,
        None => sub,
    };
    Some(Place {
        resource: resource.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        sub,
    })
}
