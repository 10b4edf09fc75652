//! Where a webhook is: its URL, or the service of the cluster that it names; loopback addresses only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use objects::{Map, Value};

use crate::catalog::text;
use crate::engine::Engine;

/// Seconds that a webhook may take when it does not say.
const TIMEOUT_SECONDS: u64 = 10;

/// Where a webhook is, and how long it may take.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Address as messages show it, with the query.
    pub url: String,
    /// Name that the certificate has to be for.
    pub host: String,
    /// Address to connect to.
    pub address: SocketAddr,
    /// Path and query.
    pub target: String,
    /// PEM certificates of the authorities to trust.
    pub authorities: Vec<u8>,
    /// Longest time of the whole call.
    pub timeout: Duration,
}

/// Splits an `https` URL into host, port and path with query.
fn split(url: &str) -> Option<(String, u16, String)> {
    let uri: http::Uri = url.parse().ok()?;
    if uri.scheme_str() != Some("https") {
        return None;
    }
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let target = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    Some((host, uri.port_u16().unwrap_or(443), target))
}

/// Returns the loopback address of a host; `None` for every other place.
fn loopback(host: &str) -> Option<IpAddr> {
    if host == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    host.parse().ok().filter(IpAddr::is_loopback)
}

/// Resolves the endpoint of a webhook.
pub(super) fn endpoint(engine: &Engine, webhook: &Map) -> Result<Endpoint, String> {
    let empty = Map::new();
    let config = webhook.get("clientConfig").and_then(Value::as_object);
    let config = config.unwrap_or(&empty);
    let seconds = webhook.get("timeoutSeconds").and_then(Value::as_u64);
    let seconds = seconds.unwrap_or(TIMEOUT_SECONDS).clamp(1, 30);
    let authorities = base64::engine::general_purpose::STANDARD
        .decode(text(config, "caBundle"))
        .map_err(|error| error.to_string())?;
    let service = config.get("service").and_then(Value::as_object);
    let (base, reach) = match service {
        Some(service) => service_endpoint(engine, service)
            .map_err(|(base, why)| format!("Post \"{base}?timeout={seconds}s\": {why}"))?,
        None => (text(config, "url").to_owned(), None),
    };
    let (host, port, target) = split(&base).ok_or_else(|| format!("{base:?} is no https URL"))?;
    let sign = if target.contains('?') { '&' } else { '?' };
    let query = format!("{sign}timeout={seconds}s");
    let address = match reach {
        Some(address) => address,
        None => loopback(&host)
            .map(|address| (address, port).into())
            .ok_or_else(|| {
                format!(
                    "Post \"{base}{query}\": this server calls webhooks at loopback addresses only"
                )
            })?,
    };
    Ok(Endpoint {
        url: format!("{base}{query}"),
        host,
        address,
        target: format!("{target}{query}"),
        authorities,
        timeout: Duration::from_secs(seconds),
    })
}

/// Finds a service of the cluster whose endpoints are loopback addresses: URL and address. An error comes with the URL too.
fn service_endpoint(
    engine: &Engine,
    service: &Map,
) -> Result<(String, Option<SocketAddr>), (String, String)> {
    let (namespace, name) = (text(service, "namespace"), text(service, "name"));
    let wanted = service.get("port").and_then(Value::as_u64).unwrap_or(443);
    let path = text(service, "path").trim_start_matches('/');
    let url = format!("https://{name}.{namespace}.svc:{wanted}/{path}");
    let key = crate::store::key(namespace, name);
    let Some(entry) = engine.store.get("/services", &key) else {
        return Err((url, format!("service \"{name}\" not found")));
    };
    let object = entry.decode("v1", "Service");
    let spec = object.get("spec").and_then(Value::as_object);
    let external = spec.map_or("", |spec| text(spec, "externalName"));
    if let Some(address) = loopback(external) {
        return Ok((url, Some((address, port_number(wanted)).into())));
    }
    let ports = spec.and_then(|spec| spec.get("ports")?.as_array());
    let port = ports
        .into_iter()
        .flatten()
        .find(|port| port.get("port").and_then(Value::as_u64) == Some(wanted));
    let Some(port) = port else {
        let why = format!("no service port {wanted} found for service \"{name}\"");
        return Err((url, why));
    };
    let port_name = port.get("name").and_then(Value::as_str).unwrap_or("");
    let table = "discovery.k8s.io/endpointslices";
    let (_, slices) = engine.store.list(table, namespace);
    let slices = slices
        .iter()
        .map(|slice| slice.decode("discovery.k8s.io/v1", "EndpointSlice"));
    let mut own = slices.filter(|slice| owner(slice) == Some(name));
    match own.find_map(|slice| address_in(&slice, port_name)) {
        Some(address) => Ok((url, Some(address))),
        None => Err((
            url,
            format!("no endpoints available for service \"{name}\""),
        )),
    }
}

/// Returns the name of the service that a slice belongs to.
fn owner(slice: &Map) -> Option<&str> {
    let labels = slice.get("metadata")?.get("labels")?;
    labels.get("kubernetes.io/service-name")?.as_str()
}

/// Returns the first loopback address of a slice, with the number of a named port.
fn address_in(slice: &Map, port_name: &str) -> Option<SocketAddr> {
    let list = |key: &str| {
        let list = slice.get(key).and_then(Value::as_array);
        list.into_iter().flatten()
    };
    let named = |port: &&Value| port.get("name").and_then(Value::as_str).unwrap_or("") == port_name;
    let port = list("ports").find(named)?.get("port")?.as_u64()?;
    let address = list("endpoints")
        .filter_map(|e| e.get("addresses")?.get(0)?.as_str())
        .find_map(loopback)?;
    Some((address, port_number(port)).into())
}

fn port_number(port: u64) -> u16 {
    u16::try_from(port).unwrap_or(0)
}
