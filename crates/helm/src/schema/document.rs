//! Schema documents: which parts are schemas, their identifiers and anchors, and where references lead.
//!
//! There are the chart's own schema, the metaschemas of the drafts, and what a loader brings; all else is refused by name.

use std::collections::{BTreeMap, HashMap, HashSet};

use gocompat::quote::quote;
use gotemplate::url::Url;
use serde_json::{Map, Value};

use super::address::{Place, encode, escape, join, split, split_fragment};
use super::draft::{Draft, LATEST, METASCHEMAS, draft_of};
use super::outside::Outside;
use crate::note::Note;

/// Address under which a chart's schema is known.
pub(super) const OWN: &str = "file:///values.schema.json";

/// A schema with an address of its own.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) pointer: String,
    id: String,
    pub(super) draft: Draft,
    anchors: BTreeMap<String, String>,
    dynamic: Vec<String>,
}

impl Resource {
    /// Anchors that dynamic references may find, and their pointers.
    pub(super) fn dynamic_anchors(&self) -> impl Iterator<Item = (&str, &str)> {
        let anchors = self.anchors.iter();
        anchors
            .filter(|(name, _)| self.dynamic.contains(name))
            .map(|(name, pointer)| (name.as_str(), pointer.as_str()))
    }
}

/// A document and what was found in it.
struct Document<'v> {
    root: &'v Value,
    outside: &'v Outside<'v>,
    resources: BTreeMap<String, Resource>,
    processed: HashSet<String>,
}

/// All documents that a schema leads to.
pub(super) struct Documents<'v> {
    own: &'v Value,
    outside: &'v Outside<'v>,
    documents: HashMap<String, Document<'v>>,
}

/// Where a keyword holds schemas.
enum Shape {
    One,
    List,
    Map,
}

const KEYWORDS: &[(Draft, &str, Shape)] = &[
    (4, "definitions", Shape::Map),
    (4, "not", Shape::One),
    (4, "allOf", Shape::List),
    (4, "anyOf", Shape::List),
    (4, "oneOf", Shape::List),
    (4, "properties", Shape::Map),
    (4, "additionalProperties", Shape::One),
    (4, "patternProperties", Shape::Map),
    (4, "items", Shape::One),
    (4, "items", Shape::List),
    (4, "additionalItems", Shape::One),
    (4, "dependencies", Shape::Map),
    (6, "propertyNames", Shape::One),
    (6, "contains", Shape::One),
    (7, "if", Shape::One),
    (7, "then", Shape::One),
    (7, "else", Shape::One),
    (2019, "$defs", Shape::Map),
    (2019, "dependentSchemas", Shape::Map),
    (2019, "unevaluatedProperties", Shape::One),
    (2019, "unevaluatedItems", Shape::One),
    (2019, "contentSchema", Shape::One),
    (2020, "prefixItems", Shape::List),
];

impl<'v> Documents<'v> {
    pub(super) fn new(own: &'v Value, outside: &'v Outside<'v>) -> Self {
        Self {
            own,
            outside,
            documents: HashMap::new(),
        }
    }

    /// Reads a document on first sight; tells whether it is new.
    pub(super) fn load(&mut self, url: &str) -> Result<bool, String> {
        if self.documents.contains_key(url) {
            return Ok(false);
        }
        let root = self.find(url)?;
        let mut document = Document {
            root,
            outside: self.outside,
            resources: BTreeMap::new(),
            processed: HashSet::new(),
        };
        document.collect(url, root, url, String::new(), LATEST)?;
        self.documents.insert(url.to_owned(), document);
        Ok(true)
    }

    fn find(&self, url: &str) -> Result<&'v Value, String> {
        if url == OWN {
            return Ok(self.own);
        }
        elsewhere(self.outside, url)
    }

    fn document(&self, url: &str) -> &Document<'v> {
        self.documents
            .get(url)
            .expect("documents are loaded before they are asked for")
    }

    pub(super) fn lookup(&self, place: &Place) -> Result<&'v Value, String> {
        place.lookup(self.document(&place.url).root)
    }

    /// The resource that a place belongs to.
    pub(super) fn resource(&self, place: &Place) -> &Resource {
        let document = self.document(&place.url);
        document.resource(&place.pointer)
    }

    /// Whether a place is known to be a schema.
    pub(super) fn is_schema(&self, place: &Place) -> bool {
        self.document(&place.url).processed.contains(&place.pointer)
    }

    /// Takes a place for a schema that no keyword leads to.
    pub(super) fn add(&mut self, place: &Place) -> Result<(), String> {
        let value = self.lookup(place)?;
        let base = self.resource(place);
        let (id, draft) = (base.id.clone(), base.draft);
        let document = self
            .documents
            .get_mut(&place.url)
            .expect("the document was just looked into");
        document.collect(&place.url, value, &id, place.pointer.clone(), draft)
    }

    /// Where a reference made at a place leads.
    pub(super) fn follow(&self, from: &Place, reference: &str) -> Result<Target, String> {
        let (url, fragment) = join(&self.resource(from).id, reference)?;
        let document = self.document(&from.url);
        let found = if url == from.url {
            Some(document.resource(""))
        } else {
            document.resources.values().find(|r| r.id == url)
        };
        match found {
            Some(resource) => document
                .anchor(&from.url, resource, &fragment)
                .map(Target::Known),
            None => Ok(Target::Elsewhere { url, fragment }),
        }
    }

    /// The place of a fragment in a loaded document.
    pub(super) fn fragment(&self, url: &str, fragment: &str) -> Result<Place, String> {
        let document = self.document(url);
        document.anchor(url, document.resource(""), fragment)
    }
}

/// What a reference leads to.
pub(super) enum Target {
    /// A place in the same document.
    Known(Place),
    /// A document that has to be loaded first.
    Elsewhere {
        /// Its address.
        url: String,
        /// Pointer or anchor in it.
        fragment: String,
    },
}

impl<'v> Document<'v> {
    fn resource(&self, pointer: &str) -> &Resource {
        let mut pointer = pointer;
        loop {
            if let Some(resource) = self.resources.get(pointer) {
                return resource;
            }
            match pointer.rfind('/') {
                Some(at) => pointer = &pointer[..at],
                None => break,
            }
        }
        self.resources
            .get("")
            .expect("the root of a document is a resource")
    }

    fn anchor(&self, url: &str, resource: &Resource, fragment: &str) -> Result<Place, String> {
        let pointer = if fragment.is_empty() || fragment.starts_with('/') {
            format!("{}{fragment}", resource.pointer)
        } else {
            resource.anchors.get(fragment).cloned().ok_or_else(|| {
                let reference = format!("{}#{}", resource.id, encode(fragment));
                format!(
                    "anchor in {} not found in schema {}",
                    quote(reference.as_bytes()),
                    quote(url.as_bytes())
                )
            })?
        };
        Ok(Place {
            url: url.to_owned(),
            pointer,
        })
    }

    /// Finds resources and anchors in a schema and those inside it.
    fn collect(
        &mut self,
        url: &str,
        schema: &'v Value,
        base: &str,
        pointer: String,
        fallback: Draft,
    ) -> Result<(), String> {
        if self.processed.contains(&pointer) {
            return Ok(());
        }
        let (base, draft) = self.identify(url, schema, base, &pointer, fallback)?;
        if let Value::Object(map) = schema {
            self.collect_anchors(url, map, &base, &pointer)?;
            for (inner, value) in inside(map, &pointer, draft) {
                let draft = self.by_id(&base).draft;
                self.collect(url, value, &base, inner, draft)?;
            }
        }
        self.processed.insert(pointer);
        Ok(())
    }

    /// Notes a resource where the schema is one; its address and the draft of its keywords.
    fn identify(
        &mut self,
        url: &str,
        schema: &Value,
        base: &str,
        pointer: &str,
        fallback: Draft,
    ) -> Result<(String, Draft), String> {
        let map = schema.as_object();
        let mut draft = match map {
            Some(map) => declared_draft(self.outside, map, url, pointer)?.unwrap_or(fallback),
            None => fallback,
        };
        let mut own_draft = draft;
        let mut id = map.map_or("", |map| id_of(map, draft));
        if id.is_empty() && !pointer.is_empty() {
            draft = fallback;
            own_draft = fallback;
            id = map.map_or("", |map| id_of(map, draft));
        }
        if map.is_none_or(|map| !map.get("$schema").is_some_and(Value::is_string)) {
            own_draft = fallback;
        }
        let address = if id.is_empty() {
            base.to_owned()
        } else {
            let joined = join(base, id).map_err(|_| {
                let place = format!("{url}#{}", encode(pointer));
                format!("error in parsing id at {}", quote(place.as_bytes()))
            });
            joined?.0
        };
        if id.is_empty() && !pointer.is_empty() {
            return Ok((address, draft));
        }
        let existing = self.resources.values().find(|r| r.id == address);
        match existing {
            Some(other) if other.pointer != pointer => {
                return Err(format!(
                    "duplicate id {} in {} at {} and {}",
                    quote(address.as_bytes()),
                    quote(url.as_bytes()),
                    quote(pointer.as_bytes()),
                    quote(other.pointer.as_bytes())
                ));
            }
            Some(_) => {}
            None => {
                let resource = Resource {
                    pointer: pointer.to_owned(),
                    id: address.clone(),
                    draft: own_draft,
                    anchors: BTreeMap::new(),
                    dynamic: Vec::new(),
                };
                self.resources.insert(pointer.to_owned(), resource);
            }
        }
        Ok((address, draft))
    }

    fn by_id(&self, id: &str) -> &Resource {
        let mut resources = self.resources.values();
        resources
            .find(|resource| resource.id == id)
            .unwrap_or_else(|| self.resource(""))
    }

    fn collect_anchors(
        &mut self,
        url: &str,
        map: &Map<String, Value>,
        id: &str,
        pointer: &str,
    ) -> Result<(), String> {
        let draft = self.by_id(id).draft;
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let mut found: Vec<(String, bool)> = Vec::new();
        if draft < 2019 {
            if map.contains_key("$ref") {
                return Ok(());
            }
            if let Some(id) = text(id_keyword(draft)) {
                let Ok((_, fragment)) = split_fragment(id) else {
                    let place = format!("{url}#{}", encode(pointer));
                    let shown = quote(place.as_bytes());
                    return Err(format!("error in parsing anchor at {shown}"));
                };
                if !fragment.is_empty() && !fragment.starts_with('/') {
                    found.push((fragment, false));
                }
            }
        } else {
            found.extend(text("$anchor").map(|name| (name.to_owned(), false)));
        }
        if draft >= 2020 {
            found.extend(text("$dynamicAnchor").map(|name| (name.to_owned(), true)));
        }
        for (name, dynamic) in found {
            self.add_anchor(url, id, pointer, name, dynamic)?;
        }
        Ok(())
    }

    fn add_anchor(
        &mut self,
        url: &str,
        id: &str,
        pointer: &str,
        name: String,
        dynamic: bool,
    ) -> Result<(), String> {
        let mut resources = self.resources.values_mut();
        let Some(resource) = resources.find(|resource| resource.id == id) else {
            return Ok(());
        };
        match resource.anchors.get(&name) {
            Some(other) if other != pointer => {
                return Err(format!(
                    "duplicate anchor {} in {} at {} and {}",
                    quote(name.as_bytes()),
                    quote(url.as_bytes()),
                    quote(other.as_bytes()),
                    quote(pointer.as_bytes())
                ));
            }
            Some(_) => {}
            None => {
                resource.anchors.insert(name.clone(), pointer.to_owned());
            }
        }
        if dynamic {
            resource.dynamic.push(name);
        }
        Ok(())
    }
}

fn id_keyword(draft: Draft) -> &'static str {
    if draft == 4 { "id" } else { "$id" }
}

/// The identifier of a schema without its fragment; empty where it has none.
fn id_of(map: &Map<String, Value>, draft: Draft) -> &str {
    if draft < 2019 && map.contains_key("$ref") {
        return "";
    }
    let id = map.get(id_keyword(draft)).and_then(Value::as_str);
    id.map_or("", |id| split(id).0)
}

/// The draft that `$schema` names, or the one that the document it names follows.
fn declared_draft(
    outside: &Outside<'_>,
    map: &Map<String, Value>,
    url: &str,
    pointer: &str,
) -> Result<Option<Draft>, String> {
    let (mut map, mut place) = (map, (url.to_owned(), pointer));
    let mut seen = HashSet::new();
    loop {
        let Some(address) = map.get("$schema").and_then(Value::as_str) else {
            return Ok(None);
        };
        if let Some(draft) = draft_of(address) {
            return Ok(Some(draft));
        }
        let (address, _) = split(address);
        let shown = quote(address.as_bytes());
        if let Err(error) = Url::parse(address) {
            let place = quote(format!("{}#{}", place.0, encode(place.1)).as_bytes());
            return Err(format!("invalid $schema in {place}: {error}"));
        }
        if place.1.is_empty() && address == place.0 {
            return Err(format!("draft {shown} is not supported"));
        }
        if !seen.insert(address.to_owned()) {
            return Err(format!("cycle in resolving $schema in {shown}"));
        }
        let Value::Object(next) = elsewhere(outside, address)? else {
            return Ok(None);
        };
        (map, place) = (next, (address.to_owned(), ""));
    }
}

/// A document that is not the chart's own.
fn elsewhere<'v>(outside: &Outside<'v>, url: &str) -> Result<&'v Value, String> {
    let secure = url.replacen(
        "http://json-schema.org/draft/",
        "https://json-schema.org/draft/",
        1,
    );
    let plain = url.replacen(
        "https://json-schema.org/draft-",
        "http://json-schema.org/draft-",
        1,
    );
    let known = METASCHEMAS.get(&secure).or_else(|| METASCHEMAS.get(&plain));
    if let Some(known) = known {
        return Ok(known);
    }
    let shown = quote(url.as_bytes());
    if url.starts_with("urn:") {
        let note = Note::Urn(url.to_owned());
        outside.urns.borrow_mut().push(note);
        return Ok(&Value::Bool(true));
    }
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let reason = match scheme {
        Some("file" | "http" | "https") => match outside.find(url) {
            Some(Ok(document)) => return Ok(document),
            Some(Err(error)) => error.clone(),
            None => unloadable(url),
        },
        _ => unloadable(url),
    };
    Err(format!("failing loading {shown}: {reason}"))
}

/// Why a document that is not part of the chart is not there.
fn unloadable(url: &str) -> String {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("file") => {
            let path = url.strip_prefix("file://").unwrap_or(url);
            format!("open {path}: no such file or directory")
        }
        Some("http" | "https") => "schemas are not fetched".to_owned(),
        _ => format!("no URLLoader registered for {}", quote(url.as_bytes())),
    }
}

/// The schemas directly inside a schema with their pointers.
fn inside<'v>(
    map: &'v Map<String, Value>,
    pointer: &str,
    draft: Draft,
) -> Vec<(String, &'v Value)> {
    let mut found = Vec::new();
    for (since, keyword, shape) in KEYWORDS {
        let Some(value) = map.get(*keyword).filter(|_| *since <= draft) else {
            continue;
        };
        let here = format!("{pointer}/{}", escape(keyword));
        match (shape, value) {
            (Shape::One, value) => found.push((here, value)),
            (Shape::List, Value::Array(items)) => {
                let items = items.iter().enumerate();
                found.extend(items.map(|(at, item)| (format!("{here}/{at}"), item)));
            }
            (Shape::Map, Value::Object(map)) => {
                let items = map.iter();
                found.extend(items.map(|(key, item)| (format!("{here}/{}", escape(key)), item)));
            }
            _ => {}
        }
    }
    found
}
