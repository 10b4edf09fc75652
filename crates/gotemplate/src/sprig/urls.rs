//! URLs taken apart and put together.

use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::url::Url;
use crate::value::{Kind, Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("urlParse", &[Type::Text], Type::Map, parse),
    Function::fixed("urlJoin", &[Type::Map], Type::Text, join),
];

fn parse(c: &mut Call<'_, '_>) -> CallResult {
    let text = c.str(0);
    let url = Url::parse(&text)
        .map_err(|error| CallError::text(format!("unable to parse url: {error}")))?;
    let entries = [
        ("scheme", url.scheme.clone()),
        ("host", url.host.clone()),
        ("hostname", url.hostname().to_owned()),
        ("path", url.path.clone()),
        ("query", url.query.clone()),
        ("opaque", url.opaque.clone()),
        ("fragment", url.fragment.clone()),
        (
            "userinfo",
            url.userinfo
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
    ];
    Ok(Value::map(
        entries.map(|(key, text)| (key, Value::from(text))),
    ))
}

fn entry(map: &Map, key: &str) -> Result<String, CallError> {
    match map.get(key.as_bytes()) {
        None => Ok(String::new()),
        Some(Value::Text(text)) => Ok(text.to_str().into_owned()),
        Some(Value::Nil) => Err(CallError::text(
            "runtime error: invalid memory address or nil pointer dereference",
        )),
        Some(other) => {
            let kind: Kind = other.kind();
            Err(CallError::text(format!(
                "unable to parse {key} key, must be of type string, but {} found",
                kind.name()
            )))
        }
    }
}

fn join(c: &mut Call<'_, '_>) -> CallResult {
    let map = c.map(0);
    let mut url = Url {
        scheme: entry(&map, "scheme")?,
        host: entry(&map, "host")?,
        path: entry(&map, "path")?,
        query: entry(&map, "query")?,
        opaque: entry(&map, "opaque")?,
        fragment: entry(&map, "fragment")?,
        ..Url::default()
    };
    let userinfo = entry(&map, "userinfo")?;
    if !userinfo.is_empty() {
        let parsed = Url::parse(&format!("proto://{userinfo}@host"));
        let parsed = parsed.map_err(|error| {
            CallError::text(format!("unable to parse userinfo in dict: {error}"))
        })?;
        url.userinfo = parsed.userinfo;
    }
    Ok(url.to_string().into())
}
