//! What a client accepts: encoding and shape of an answer.

use crate::failure::{Answered, Failure};

/// Encoding of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Protobuf in the Kubernetes envelope; never for tables and custom kinds.
    Protobuf,
}

/// Shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The object as it is.
    Object,
    /// A `Table`.
    Table,
    /// `PartialObjectMetadata` or its list.
    Metadata,
}

/// The first entry of an `Accept` header that can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Encoding.
    pub encoding: Encoding,
    /// Shape.
    pub shape: Shape,
    /// `Content-Type` of the answer.
    pub content_type: &'static str,
    /// Whether tables and metadata-only forms are asked for as `meta.k8s.io/v1beta1`.
    pub beta: bool,
    /// Whether the metadata-only form of a list is asked for.
    pub of_list: bool,
}

impl Accepted {
    /// Plain JSON.
    pub fn json() -> Self {
        Self {
            encoding: Encoding::Json,
            shape: Shape::Object,
            content_type: "application/json",
            beta: false,
            of_list: false,
        }
    }
}

/// One entry of an `Accept` header.
#[derive(Debug, Default)]
pub struct Entry<'a> {
    /// Media type.
    pub media: &'a str,
    /// `as`, or "".
    pub target: &'a str,
    /// `g`, or "".
    pub group: &'a str,
    /// `v`, or "".
    pub version: &'a str,
    /// `stream`, or "".
    pub stream: &'a str,
}

/// Splits an `Accept` header into its entries, in order of preference.
pub fn entries(header: &str) -> Vec<Entry<'_>> {
    let mut weighted: Vec<(f32, Entry<'_>)> = header
        .split(',')
        .filter(|part| !part.trim().is_empty())
        .map(entry)
        .collect();
    weighted.sort_by(|a, b| b.0.total_cmp(&a.0));
    weighted.into_iter().map(|(_, entry)| entry).collect()
}

fn entry(part: &str) -> (f32, Entry<'_>) {
    let mut fields = part.split(';').map(str::trim);
    let mut entry = Entry {
        media: fields.next().unwrap_or(""),
        ..Entry::default()
    };
    let mut weight = 1.0;
    for field in fields {
        match field.split_once('=') {
            Some(("as", value)) => entry.target = value,
            Some(("g", value)) => entry.group = value,
            Some(("v", value)) => entry.version = value,
            Some(("stream", value)) => entry.stream = value,
            Some(("q", value)) => weight = value.parse().unwrap_or(1.0),
            _ => {}
        }
    }
    (weight, entry)
}

/// What an endpoint can answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Whether the kind is a custom one, without a protobuf form.
    pub custom: bool,
    /// Whether tables and metadata-only forms can be asked for.
    pub transforms: bool,
    /// Whether the answer is a stream of events.
    pub stream: bool,
}

/// Media types of the routes of built-in kinds.
pub const ROUTED: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
/// What routes of collections have besides.
const STREAMED: [&str; 2] = [
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];

/// Refuses a client that accepts none of a route's media types, in the words of upstream's router; it knows `*/*` but
/// not `application/*`.
pub fn routed(header: &str, types: &[&str]) -> Answered<()> {
    let fits = |part: &str| {
        let media = part.split(';').next().unwrap_or("").trim();
        media == "*/*" || types.contains(&media)
    };
    if header.trim().is_empty() || header.split(',').any(fits) {
        return Ok(());
    }
    let message = format!(
        "406: Not Acceptable\n\nAvailable representations: {}",
        types.join(", ")
    );
    let mut failure = Failure::new(406, "NotAcceptable", message);
    failure.empty_details = true;
    Err(failure)
}

/// As [`routed`], for the route of an object, or of a collection that can be watched.
pub fn routed_resource(header: &str, collection: bool) -> Answered<()> {
    if collection {
        return routed(header, &[&ROUTED[..], &STREAMED[..]].concat());
    }
    routed(header, &ROUTED)
}

/// Picks the first entry that can be served.
pub fn negotiate(header: &str, offer: Offer) -> Answered<Accepted> {
    if header.trim().is_empty() {
        return Ok(Accepted::json());
    }
    let mut shaped = false;
    for entry in entries(header) {
        let Some(encoding) = encoding(&entry, offer) else {
            shaped |= offer.stream && entry.media == "application/yaml";
            continue;
        };
        let Some(shape) = shape(&entry, offer) else {
            shaped = true;
            continue;
        };
        let binary = encoding == Encoding::Protobuf;
        if binary && (shape == Shape::Table || (offer.custom && shape == Shape::Object)) {
            shaped = true;
            continue;
        }
        return Ok(Accepted {
            encoding,
            shape,
            content_type: content_type(encoding, offer.stream),
            beta: shape != Shape::Object && entry.version == "v1beta1",
            of_list: entry.target.ends_with("List"),
        });
    }
    Err(refuse(shaped, offer))
}

fn encoding(entry: &Entry<'_>, offer: Offer) -> Option<Encoding> {
    if !matches!(entry.stream, "" | "watch") {
        return None;
    }
    match entry.media {
        "application/json" | "*/*" | "application/*" => Some(Encoding::Json),
        // Documents of YAML cannot be told apart in a stream without a separator.
        "application/yaml" if !offer.stream => Some(Encoding::Yaml),
        "application/vnd.kubernetes.protobuf" => Some(Encoding::Protobuf),
        _ => None,
    }
}

fn shape(entry: &Entry<'_>, offer: Offer) -> Option<Shape> {
    let shape = match (entry.target, entry.group, entry.version) {
        ("", _, _) => return Some(Shape::Object),
        ("Table", "meta.k8s.io", "v1" | "v1beta1") => Shape::Table,
        (
            "PartialObjectMetadata" | "PartialObjectMetadataList",
            "meta.k8s.io",
            "v1" | "v1beta1",
        ) => Shape::Metadata,
        _ => return None,
    };
    offer.transforms.then_some(shape)
}

fn content_type(encoding: Encoding, stream: bool) -> &'static str {
    match encoding {
        Encoding::Json => "application/json",
        Encoding::Yaml => "application/yaml",
        Encoding::Protobuf if stream => "application/vnd.kubernetes.protobuf;stream=watch",
        Encoding::Protobuf => "application/vnd.kubernetes.protobuf",
    }
}

fn refuse(shaped: bool, offer: Offer) -> Box<Failure> {
    let custom = offer.custom;
    if shaped && offer.stream {
        let types = if custom {
            "application/json;stream=watch"
        } else {
            "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
        };
        let message = format!("only the following media types are accepted: {types}");
        return Failure::new(406, "NotAcceptable", message);
    }
    let mut types = vec!["application/json", "application/yaml"];
    if !custom {
        types.push("application/vnd.kubernetes.protobuf");
    }
    if shaped {
        if custom {
            // The handler of custom kinds lists what it has for metadata.
            types.push("application/vnd.kubernetes.protobuf");
        }
        let message = format!(
            "only the following media types are accepted: {}",
            types.join(", ")
        );
        return Failure::new(406, "NotAcceptable", message);
    }
    types.push("application/json;stream=watch");
    if !custom {
        types.push("application/vnd.kubernetes.protobuf;stream=watch");
    }
    let mut failure = Failure::new(
        406,
        "NotAcceptable",
        format!(
            "406: Not Acceptable\n\nAvailable representations: {}",
            types.join(", ")
        ),
    );
    failure.empty_details = true;
    failure
}
