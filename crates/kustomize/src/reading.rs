//! Files into objects and values.
//!
//! Resources and strategic patches follow go-yaml v3, everything else YAML 1.1 on its way to JSON.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read};

use kyaml::{Dialect, Node, NodeValue, ReadOptions, Resolved, Style, Tag};
use serde_json::Value;

use crate::decode::Step;
use crate::error::{BuildError, Fault, Result, fail};
use crate::node::{is_empty, is_null, text};
use crate::resource::Resource;

/// How much of a file is read at once.
const READ_BYTES: usize = 64 << 10;

/// What go-yaml v3's and kustomize's readers say of text that is no YAML.
const MALFORMED: &str = "MalformedYAMLError";

fn options() -> ReadOptions {
    ReadOptions::v3()
}

fn malformed(error: &kyaml::ReadError, lines_before: u32) -> BuildError {
    let mut mark = error.mark;
    if mark.line > 0 {
        mark.line += lines_before;
    }
    BuildError::with(Fault::Malformed, format!("{MALFORMED}: {error}")).at_mark(mark)
}

/// Reads JSON, or YAML 1.1, into a value; of several documents the first counts.
pub(crate) fn yaml_to_json(content: &[u8]) -> Result<Value> {
    kyaml::yaml_to_json(content).map_err(|error| {
        let mark = match &error {
            kyaml::SigsError::Read(read) => read.mark,
            _ => kyaml::Mark::default(),
        };
        BuildError::with(Fault::Malformed, error.to_string()).at_mark(mark)
    })
}

/// A kustomization file as a value, with the lines its fields stand on.
pub(crate) struct KustomizationDocument {
    pub json: Value,
    root: Option<Node>,
}

impl KustomizationDocument {
    pub fn parse(content: &[u8]) -> Result<Self> {
        let json = yaml_to_json(content).map_err(|error| {
            let message = error.message();
            let own = message.strip_prefix("error converting YAML to JSON: ");
            let message = own.unwrap_or(message).to_owned();
            error.reword(message)
        })?;
        let root = kyaml::parse_first(content, &ReadOptions::v11())
            .ok()
            .flatten();
        Ok(Self { json, root })
    }

    /// Finds the line of the value at a path, or of the closest one around it.
    pub fn line_of(&self, path: &[Step]) -> Option<u32> {
        let mut node = self.root.as_ref()?;
        let mut line = None;
        for step in path {
            let next = match step {
                Step::Key(key) | Step::Entry(key) => node.entries().and_then(|entries| {
                    let mut same = entries
                        .iter()
                        .filter(|(k, _)| text(k).eq_ignore_ascii_case(key));
                    same.next_back().map(|(k, v)| (k.mark.line, v))
                }),
                Step::Embedded(_) => continue,
                Step::Index(index) => node
                    .items()
                    .and_then(|items| items.get(*index))
                    .map(|item| (item.mark.line, item)),
            };
            let Some((at, value)) = next else {
                break;
            };
            line = Some(at);
            node = value;
        }
        line
    }
}

/// Parses YAML held in a scalar.
pub(crate) fn parse_embedded(content: &str) -> Result<Node> {
    let node = kyaml::parse_first(content.as_bytes(), &options())
        .map_err(|error| BuildError::new(error.to_string()))?;
    let mut node = node.ok_or_else(|| BuildError::new("EOF"))?;
    resolve_tags(&mut node);
    Ok(node)
}

/// Parses the first document of YAML held in a scalar, with its comments, so that it can be printed again.
pub(crate) fn parse_embedded_document(content: &str) -> Result<kyaml::Document> {
    let options = ReadOptions {
        keep_comments: true,
        ..options()
    };
    let documents = kyaml::parse_documents(content.as_bytes(), &options)
        .map_err(|error| BuildError::new(error.to_string()))?;
    let first = documents.into_iter().next();
    let mut document = first.ok_or_else(|| BuildError::new("EOF"))?;
    resolve_tags(&mut document.root);
    Ok(document)
}

/// Writes down the type that each scalar was read with: later changes of its text keep it.
fn resolve_tags(node: &mut Node) {
    match &mut node.value {
        NodeValue::Mapping(entries) => {
            for (key, value) in entries.iter_mut() {
                resolve_tags(key);
                resolve_tags(value);
            }
            drop_quoted_merge(entries);
            node.tag = explicit_or(&node.tag, Tag::Map);
        }
        NodeValue::Sequence(items) => {
            items.iter_mut().for_each(resolve_tags);
            node.tag = explicit_or(&node.tag, Tag::Seq);
        }
        NodeValue::Scalar(text) if node.tag == Tag::Implicit => {
            node.tag = if node.style == Style::Plain {
                tag_of(&kyaml::resolve_text(text, Dialect::V3))
            } else {
                Tag::Str
            };
        }
        NodeValue::Scalar(_) | NodeValue::Alias(_) => {}
    }
}

/// Upstream removes a key `<<` together with merge keys, even where it is quoted and merges nothing.
fn drop_quoted_merge(entries: &mut Vec<(Node, Node)>) {
    let first = entries.iter().position(|(key, _)| text(key) == "<<");
    if let Some(index) = first.filter(|index| entries[*index].0.tag != Tag::Merge) {
        entries.remove(index);
    }
}

fn explicit_or(tag: &Tag, otherwise: Tag) -> Tag {
    if *tag == Tag::Implicit {
        otherwise
    } else {
        tag.clone()
    }
}

fn tag_of(resolved: &Resolved<'_>) -> Tag {
    match resolved {
        Resolved::Null => Tag::Null,
        Resolved::Bool(_) => Tag::Bool,
        Resolved::Int(_) | Resolved::Uint(_) => Tag::Int,
        Resolved::Float(_) => Tag::Float,
        Resolved::String(_) => Tag::Str,
        Resolved::Timestamp(_) => Tag::Timestamp,
        Resolved::Binary(_) => Tag::Binary,
        Resolved::Merge => Tag::Merge,
    }
}

/// Fails unless a file holds Kubernetes objects and nothing else; the error has the place in the file.
pub fn check_resources(content: &[u8]) -> Result<()> {
    read_resources(content).map(drop)
}

/// Reads all objects of a file, lists taken apart.
pub(crate) fn read_resources(content: &[u8]) -> Result<Vec<Resource>> {
    let nodes = read_nodes(content)?;
    let mut result = Vec::with_capacity(nodes.len());
    let mut queue: std::collections::VecDeque<Node> = nodes.into();
    while let Some(node) = queue.pop_front() {
        take_apart(node, &mut queue, &mut |resource| result.push(resource))?;
    }
    Ok(result)
}

/// Hands on the objects that [`read_resources`] returns, while holding one document of the text at a time.
///
/// Fails for the same texts, but perhaps with another of several faults, and after some objects were handed on.
pub(crate) fn stream_resources(text: Box<dyn Read>, keep: &mut dyn FnMut(Resource)) -> Result<()> {
    let mut documents = Documents {
        text: BufReader::with_capacity(READ_BYTES, text),
        document: Vec::new(),
    };
    let mut behind = std::collections::VecDeque::new();
    let mut is_first = true;
    let mut is_last = false;
    while !is_last {
        is_last = documents.next()?;
        let nodes = document_nodes(&documents.document, is_first && is_last)?;
        is_first = false;
        for node in nodes {
            take_apart(node, &mut behind, keep)?;
        }
    }
    while let Some(node) = behind.pop_front() {
        take_apart(node, &mut behind, keep)?;
    }
    Ok(())
}

/// Hands on an object; the items of a list go behind everything else.
fn take_apart(
    node: Node,
    behind: &mut std::collections::VecDeque<Node>,
    keep: &mut dyn FnMut(Resource),
) -> Result<()> {
    if kind_of(&node).ends_with("List")
        && let Some(items) = list_items(&node)?
    {
        behind.extend(items);
        return Ok(());
    }
    keep(read_resource(node));
    Ok(())
}

fn read_resource(node: Node) -> Resource {
    let keeps_marks = !kyaml::duplicate_keys(&node).is_empty();
    let mut resource = Resource::new(node);
    resource.keeps_marks = keeps_marks;
    resource
}

/// Reads the objects of one document.
fn document_nodes(document: &[u8], is_only: bool) -> Result<Vec<Node>> {
    let Ok(document) = std::str::from_utf8(document) else {
        return Err(not_text(document));
    };
    let document = unified_breaks(document);
    let mut options = options();
    options.keep_comments = states_schema(&document);
    let parsed =
        kyaml::parse_first(document.as_bytes(), &options).map_err(|error| malformed(&error, 0))?;
    let Some(mut node) = parsed else {
        return Ok(Vec::new());
    };
    resolve_tags(&mut node);
    if is_null(&node) {
        return Ok(Vec::new());
    }
    let mut nodes = if is_only && is_wrapper(&node) {
        into_items(node)
    } else {
        vec![node]
    };
    for node in &mut nodes {
        kyaml::expand_aliases(node, &options)
            .map_err(|error| BuildError::new(error.to_string()))?;
    }
    keep_good(nodes)
}

/// A text cut into documents where [`split_documents`] cuts it, one at a time.
struct Documents {
    text: BufReader<Box<dyn Read>>,
    document: Vec<u8>,
}

impl Documents {
    /// Reads the next document; tells whether it is the last.
    fn next(&mut self) -> Result<bool> {
        self.document.clear();
        loop {
            let start = self.document.len();
            let read = self.text.read_until(b'\n', &mut self.document);
            let length = read.map_err(|error| BuildError::new(error.to_string()))?;
            if length == 0 {
                return Ok(true);
            }
            let line = &self.document[start..];
            // At the start of a document, dashes are part of it.
            if start == 0 || !line.starts_with(b"---") || !line.ends_with(b"\n") {
                continue;
            }
            let behind = line[3..].trim_ascii();
            if !behind.is_empty() && !behind.starts_with(b"#") {
                fail!("invalid document separator");
            }
            self.document.truncate(start);
            return Ok(false);
        }
    }
}

fn unified_breaks(content: &str) -> Cow<'_, str> {
    if content.contains("\r\n") {
        Cow::Owned(content.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(content)
    }
}

/// Comments matter only where they state a schema.
fn states_schema(content: &str) -> bool {
    content.contains("x-kubernetes-patch-strategy")
}

fn kind_of(node: &Node) -> &str {
    node.get("kind").map_or("", text)
}

/// Returns the items of a list object, through JSON as upstream does; `None` where it has no items.
fn list_items(node: &Node) -> Result<Option<Vec<Node>>> {
    let kind = kind_of(node);
    let wrap = |error: BuildError| error.wrap(format!("trouble expanding list of {kind}"));
    if node.get("items").is_none() {
        // The whole object is still read, so that duplicate keys are noticed.
        crate::emission::to_json(node).map_err(wrap)?;
        return Ok(None);
    }
    let Value::Object(mut map) = crate::emission::to_json(node).map_err(wrap)? else {
        return Ok(None);
    };
    match map.remove("items") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(Vec::new())),
        Some(Value::Array(items)) => {
            // Upstream prints each as JSON and reads that: the styles of JSON stick.
            let node = |item: &Value| parse_embedded(&crate::emission::go_json(item));
            keep_good(items.iter().map(node).collect::<Result<_>>()?).map(Some)
        }
        Some(other) => {
            let got = match other {
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Number(_) => "float64",
                _ => "map[string]interface {}",
            };
            fail!("expected array in {kind}/items, but found {got}")
        }
    }
}

fn read_nodes(content: &[u8]) -> Result<Vec<Node>> {
    let Ok(content) = std::str::from_utf8(content) else {
        return Err(not_text(content));
    };
    let content = &unified_breaks(content);
    let mut options = options();
    options.keep_comments = states_schema(content);
    let documents = split_documents(content)?;
    let single = documents.len() == 1;
    let mut nodes = Vec::with_capacity(documents.len());
    let mut lines_before = 0;
    for document in documents {
        let mut parsed = kyaml::parse_first(document.as_bytes(), &options)
            .map_err(|error| malformed(&error, lines_before))?;
        if let Some(node) = &mut parsed {
            // Errors name the object's place in the file.
            node.mark.line += lines_before;
        }
        lines_before += u32::try_from(document.matches('\n').count()).unwrap_or(0) + 1;
        let Some(mut node) = parsed else {
            continue;
        };
        resolve_tags(&mut node);
        if is_null(&node) {
            continue;
        }
        if single && is_wrapper(&node) {
            nodes.extend(into_items(node));
        } else {
            nodes.push(node);
        }
    }
    for node in &mut nodes {
        kyaml::expand_aliases(node, &options)
            .map_err(|error| BuildError::new(error.to_string()))?;
    }
    keep_good(nodes)
}

/// Upstream reads other encodings too; what is no UTF-8 and has no mark of another is no YAML.
fn not_text(content: &[u8]) -> BuildError {
    match kyaml::parse_first(content, &options()) {
        Err(error) => malformed(&error, 0),
        Ok(_) => BuildError::with(
            Fault::Malformed,
            format!("{MALFORMED}: yaml: text is not encoded as UTF-8"),
        ),
    }
}

/// Splits at lines that start with `---`; anything but a comment behind it is an error.
fn split_documents(content: &str) -> Result<Vec<&str>> {
    let mut documents = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(found) = content[from..].find("\n---") {
        let at = from + found;
        let Some(length) = content[at + 1..].find('\n') else {
            break;
        };
        let end = at + 1 + length;
        let behind = content[at + 4..end].trim();
        if !behind.is_empty() && !behind.starts_with('#') {
            let separator = content[at..end].trim();
            fail!("invalid document separator: {separator}");
        }
        documents.push(&content[start..=at]);
        start = end + 1;
        from = start;
    }
    documents.push(&content[start..]);
    Ok(documents)
}

/// Tells whether a lone document is a list whose items stand for it.
fn is_wrapper(node: &Node) -> bool {
    matches!(kind_of(node), "List" | "ResourceList")
        && (node.get("items").is_some() || node.get("functionConfig").is_some())
}

fn into_items(mut node: Node) -> Vec<Node> {
    match node.remove("items").map(|items| items.value) {
        Some(NodeValue::Sequence(items)) => items,
        _ => Vec::new(),
    }
}

/// Drops empty objects, and fails for those that are not objects of Kubernetes.
fn keep_good(nodes: Vec<Node>) -> Result<Vec<Node>> {
    let mut good = Vec::with_capacity(nodes.len());
    for node in nodes {
        if is_empty(&node) {
            continue;
        }
        check_metadata(&node)?;
        good.push(node);
    }
    Ok(good)
}

/// Fails unless an object has a kind and a name; lists need no name.
pub(crate) fn check_metadata(node: &Node) -> Result<()> {
    let wrong = |message: String| Err(BuildError::new(message).at_mark(node.mark));
    let field = |node: &Node, name: &str| -> Option<String> {
        let value = node.get(name).filter(|value| !is_empty(value))?;
        Some(text(value).to_owned())
    };
    let api_version = field(node, "apiVersion");
    let kind = field(node, "kind");
    let metadata = node.get("metadata").filter(|metadata| !is_empty(metadata));
    let part = |name: &str| metadata.and_then(|metadata| field(metadata, name));
    let (name, namespace) = (part("name"), part("namespace"));
    let has_maps = ["labels", "annotations"].iter().any(|name| {
        let map = metadata.and_then(|metadata| metadata.get(name));
        map.is_some_and(|map| !is_empty(map))
    });
    if api_version.is_none() && kind.is_none() && name.is_none() && namespace.is_none() && !has_maps
    {
        return wrong("missing Resource metadata".to_owned());
    }
    let described = || {
        let maps = ["labels", "annotations"].map(|name| {
            let map = metadata.and_then(|metadata| metadata.get(name));
            let entries = map.and_then(Node::entries).unwrap_or_default();
            let mut texts: Vec<String> = entries
                .iter()
                .map(|(k, v)| format!("{}:{}", text(k), text(v)))
                .collect();
            texts.sort();
            format!("map[{}]", texts.join(" "))
        });
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        let (api_version, kind) = (word(&api_version), word(&kind));
        let (name, namespace) = (word(&name), word(&namespace));
        let [labels, annotations] = maps;
        format!("{{{{{api_version} {kind}}} {{{{{name} {namespace}}} {labels} {annotations}}}}}")
    };
    let Some(kind) = kind.as_deref().filter(|kind| !kind.is_empty()) else {
        return wrong(format!("missing kind in object {}", described()));
    };
    if !kind.ends_with("List") && name.as_deref().is_none_or(str::is_empty) {
        return wrong(format!("missing metadata.name in object {}", described()));
    }
    Ok(())
}

/// Adds the file to what is wrong with its text, in upstream's words.
pub(crate) fn in_file(error: BuildError, path: &str) -> BuildError {
    let message = error.message();
    if message.contains("error converting YAML to JSON")
        || message.contains("error unmarshaling JSON")
    {
        let message = format!("YAML file [{path}] encounters a format error.\n{message}\n");
        error.reword(message)
    } else if message.contains(MALFORMED) {
        let message = format!("{message} in File: {path}");
        error.reword(message)
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(content: &str) -> Vec<String> {
        let resources = read_resources(content.as_bytes()).unwrap();
        resources.iter().map(|r| r.name().to_owned()).collect()
    }

    fn error(content: &str) -> String {
        let error = read_resources(content.as_bytes()).unwrap_err();
        error.message().to_owned()
    }

    #[test]
    fn documents_and_lists_are_taken_apart() {
        let object = |name: &str| format!("kind: A\nmetadata:\n  name: {name}\n");
        let two = format!("---\n{}---\n# nothing\n---\n{}", object("a"), object("b"));
        assert_eq!(names(&two), ["a", "b"]);
        let list = "kind: AList\nitems:\n- kind: A\n  metadata: {name: x}\n";
        assert_eq!(names(&format!("{list}---\n{}", object("b"))), ["b", "x"]);
        assert_eq!(names("kind: BList\nitems: null\n"), [""; 0]);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        assert_eq!(
            error("apiVersion: v1\nkind: A\nmetadata: {labels: {a: b}}\n"),
            "missing metadata.name in object {{v1 A} {{ } map[a:b] map[]}}"
        );
        assert_eq!(error("just text"), "missing Resource metadata");
        assert!(error("a: [").starts_with("MalformedYAMLError: yaml: "));
        assert_eq!(
            error("kind: A\n---  x\nkind: B\n"),
            "invalid document separator: ---  x"
        );
    }
}
