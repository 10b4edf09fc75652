//! Schemas turned into a flat program: every keyword read once, references and patterns checked.
//!
//! Parts are compiled in the order in which they are reached, so that the first fault found is the one that
//! the library Helm uses reports. Parts that nothing refers to are not looked at.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use gocompat::quote::quote;
use gocompat::regexp::Regexp;
use serde_json::{Map, Number, Value};

use super::address::{Place, encode, escape};
use super::decimal::Decimal;
use super::document::{Documents, OWN, Target};
use super::draft::{Draft, metaschema};
use super::outside::{Loaded, Outside};
use super::tree::Tree;
use super::{plain, run};

/// Most parts of one schema.
const PARTS_MAX: usize = 100_000;

/// Number of a part in its program.
pub(super) type Id = usize;

/// A compiled schema.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) parts: Vec<Part>,
    /// The part that values are checked against.
    pub(super) root: Id,
}

/// What an `additional…` keyword says.
#[derive(Debug)]
pub(super) enum Additional {
    Allowed(bool),
    Part(Id),
}

/// What a key of `dependencies` asks for.
#[derive(Debug)]
pub(super) enum Dependency {
    Names(Vec<String>),
    Part(Id),
}

/// `items` before draft 2020-12.
#[derive(Debug, Default)]
pub(super) enum Items {
    #[default]
    None,
    All(Id),
    Each(Vec<Id>),
}

/// One schema with its keywords.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) location: String,
    pub(super) draft: Draft,
    pub(super) resource: Id,
    pub(super) boolean: Option<bool>,
    pub(super) reference: Option<Id>,
    pub(super) recursive_ref: Option<Id>,
    pub(super) recursive_anchor: bool,
    pub(super) dynamic_ref: Option<(Id, String)>,
    pub(super) dynamic_anchor: String,
    pub(super) dynamic_anchors: BTreeMap<String, Id>,
    pub(super) types: Vec<String>,
    pub(super) constant: Option<Value>,
    pub(super) choices: Option<Vec<Value>>,
    pub(super) format: Option<String>,
    pub(super) not: Option<Id>,
    pub(super) all_of: Vec<Id>,
    pub(super) any_of: Vec<Id>,
    pub(super) one_of: Vec<Id>,
    pub(super) condition: Option<Id>,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
    pub(super) properties: BTreeMap<String, Id>,
    pub(super) pattern_properties: Vec<(Regexp, Id)>,
    pub(super) additional_properties: Option<Additional>,
    pub(super) property_names: Option<Id>,
    pub(super) dependencies: Vec<(String, Dependency)>,
    pub(super) dependent_schemas: BTreeMap<String, Id>,
    pub(super) dependent_required: Vec<(String, Vec<String>)>,
    pub(super) unevaluated_properties: Option<Id>,
    pub(super) required: Vec<String>,
    pub(super) min_properties: Option<usize>,
    pub(super) max_properties: Option<usize>,
    pub(super) items: Items,
    pub(super) additional_items: Option<Additional>,
    pub(super) prefix_items: Vec<Id>,
    pub(super) rest_items: Option<Id>,
    pub(super) contains: Option<Id>,
    pub(super) min_contains: Option<usize>,
    pub(super) max_contains: Option<usize>,
    pub(super) unique_items: bool,
    pub(super) unevaluated_items: Option<Id>,
    pub(super) min_items: Option<usize>,
    pub(super) max_items: Option<usize>,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) pattern: Option<(Regexp, String)>,
    pub(super) minimum: Option<Decimal>,
    pub(super) maximum: Option<Decimal>,
    pub(super) above: Option<Decimal>,
    pub(super) below: Option<Decimal>,
    pub(super) multiple_of: Option<Decimal>,
}

impl Part {
    /// Whether the keywords of this part look at all properties.
    pub(super) fn sees_properties(&self) -> bool {
        self.additional_properties.is_some()
    }

    /// How many items the keywords of this part look at; `None` for all.
    pub(super) fn seen_items(&self) -> Option<usize> {
        if self.draft >= 2020 {
            return match self.rest_items {
                Some(_) => None,
                None => Some(self.prefix_items.len()),
            };
        }
        match &self.items {
            _ if self.additional_items.is_some() => None,
            Items::None => Some(0),
            Items::All(_) => None,
            Items::Each(each) => Some(each.len()),
        }
    }
}

/// Compiles a chart's schema; it is checked against the metaschema of its draft first.
///
/// # Errors
/// In the words of the library that Helm uses.
pub(super) fn compile<'v>(schema: &'v Value, outside: &'v Outside<'v>) -> Result<Program, String> {
    let mut compiler = Compiler::new(schema, outside, false);
    compiler.program(Place {
        url: OWN.to_owned(),
        pointer: String::new(),
    })
}

/// The compiled metaschema of a draft; formats count in it.
pub(super) fn compiled_metaschema(draft: Draft) -> Arc<Program> {
    static COMPILED: LazyLock<Mutex<HashMap<Draft, Arc<Program>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let program = compiled.entry(draft).or_insert_with(|| {
        let nothing = Loaded::new();
        let outside = Outside::new(&nothing);
        let mut compiler = Compiler::new(&Value::Null, &outside, true);
        let program = compiler.program(Place {
            url: metaschema(draft).to_owned(),
            pointer: String::new(),
        });
        Arc::new(program.unwrap_or_default())
    });
    program.clone()
}

struct Compiler<'v> {
    documents: Documents<'v>,
    assert_format: bool,
    queue: Vec<Place>,
    known: HashMap<Place, Id>,
}

impl<'v> Compiler<'v> {
    fn new(own: &'v Value, outside: &'v Outside<'v>, assert_format: bool) -> Self {
        Self {
            documents: Documents::new(own, outside),
            assert_format,
            queue: Vec::new(),
            known: HashMap::new(),
        }
    }

    fn program(&mut self, place: Place) -> Result<Program, String> {
        self.load(&place.url)?;
        let mut program = Program {
            root: self.enqueue(place),
            parts: Vec::new(),
        };
        while program.parts.len() < self.queue.len() {
            if self.queue.len() > PARTS_MAX {
                return Err(format!("the schema has more than {PARTS_MAX} parts"));
            }
            let place = self.queue[program.parts.len()].clone();
            self.ensure(&place)?;
            let value = self.documents.lookup(&place)?;
            let part = Reader::new(self, &place, value).part()?;
            program.parts.push(part);
        }
        Ok(program)
    }

    fn load(&mut self, url: &str) -> Result<(), String> {
        if self.documents.load(url)? && !url.contains("://json-schema.org/") {
            self.validate(&Place {
                url: url.to_owned(),
                pointer: String::new(),
            })?;
        }
        Ok(())
    }

    /// A place that only a reference names is read as a schema now.
    fn ensure(&mut self, place: &Place) -> Result<(), String> {
        self.load(&place.url)?;
        if self.documents.is_schema(place) {
            return Ok(());
        }
        self.documents.add(place)?;
        if place.url.contains("://json-schema.org/") {
            return Ok(());
        }
        self.validate(place)
    }

    fn validate(&self, place: &Place) -> Result<(), String> {
        let draft = self.documents.resource(place).draft;
        let value = self.documents.lookup(place)?;
        if plain::is_valid(&Tree::of(value), draft) {
            return Ok(());
        }
        let program = compiled_metaschema(draft);
        match run::check(&program, value) {
            None => Ok(()),
            Some(fault) => {
                let shown = quote(place.location().as_bytes());
                let lines = fault.lines();
                Err(format!(
                    "{shown} is not valid against metaschema: jsonschema validation failed with '{}#'\n{}",
                    metaschema(draft),
                    lines.trim_end_matches('\n')
                ))
            }
        }
    }

    fn enqueue(&mut self, place: Place) -> Id {
        if let Some(id) = self.known.get(&place) {
            return *id;
        }
        let id = self.queue.len();
        self.known.insert(place.clone(), id);
        self.queue.push(place);
        id
    }
}

/// Reads the keywords of one part.
struct Reader<'r, 'v> {
    compiler: &'r mut Compiler<'v>,
    place: &'r Place,
    value: &'v Value,
    draft: Draft,
}

impl<'r, 'v> Reader<'r, 'v> {
    fn new(compiler: &'r mut Compiler<'v>, place: &'r Place, value: &'v Value) -> Self {
        let draft = compiler.documents.resource(place).draft;
        Self {
            compiler,
            place,
            value,
            draft,
        }
    }

    fn part(&mut self) -> Result<Part, String> {
        let resource = self.compiler.documents.resource(self.place).clone();
        let base = Place {
            url: self.place.url.clone(),
            pointer: resource.pointer.clone(),
        };
        let mut part = Part {
            location: self.place.location(),
            draft: self.draft,
            resource: self.compiler.enqueue(base.clone()),
            ..Part::default()
        };
        if self.draft >= 2020 && *self.place == base {
            for (name, pointer) in resource.dynamic_anchors() {
                let place = Place {
                    url: self.place.url.clone(),
                    pointer: pointer.to_owned(),
                };
                let id = self.compiler.enqueue(place);
                part.dynamic_anchors.insert(name.to_owned(), id);
            }
        }
        match self.value {
            Value::Bool(flag) => part.boolean = Some(*flag),
            Value::Object(map) if map.is_empty() => part.boolean = Some(true),
            Value::Object(map) => self.keywords(map, &mut part)?,
            _ => {}
        }
        Ok(part)
    }

    fn keywords(&mut self, map: &'v Map<String, Value>, part: &mut Part) -> Result<(), String> {
        part.reference = self.reference(map, "$ref")?;
        if self.draft < 2019 && part.reference.is_some() {
            return Ok(());
        }
        self.combinations(map, part);
        self.objects(map, part)?;
        self.values(map, part)?;
        self.later(map, part)
    }

    fn combinations(&mut self, map: &'v Map<String, Value>, part: &mut Part) {
        part.all_of = self.list(map, "allOf");
        part.any_of = self.list(map, "anyOf");
        part.one_of = self.list(map, "oneOf");
        part.not = self.one(map, "not");
        if self.draft >= 2020 {
            return;
        }
        match map.get("items") {
            None => {}
            Some(Value::Array(_)) => {
                part.items = Items::Each(self.list(map, "items"));
                part.additional_items = self.additional(map, "additionalItems");
            }
            Some(_) => {
                let id = self.below(&["items"]);
                part.items = Items::All(id);
            }
        }
    }

    fn objects(&mut self, map: &'v Map<String, Value>, part: &mut Part) -> Result<(), String> {
        part.properties = self.named(map, "properties");
        if let Some(Value::Object(patterns)) = map.get("patternProperties") {
            for pattern in patterns.keys() {
                let regexp = self.regexp(pattern, "patternProperties")?;
                let id = self.below(&["patternProperties", pattern]);
                part.pattern_properties.push((regexp, id));
            }
        }
        part.additional_properties = self.additional(map, "additionalProperties");
        if let Some(Value::Object(all)) = map.get("dependencies") {
            for (name, value) in all {
                let dependency = match value {
                    Value::Array(names) => Dependency::Names(texts(names)),
                    _ => Dependency::Part(self.below(&["dependencies", name])),
                };
                part.dependencies.push((name.clone(), dependency));
            }
        }
        Ok(())
    }

    fn values(&mut self, map: &'v Map<String, Value>, part: &mut Part) -> Result<(), String> {
        part.types = match map.get("type") {
            Some(Value::String(one)) => known_types(&[one.as_str()]),
            Some(Value::Array(all)) => {
                let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
                known_types(&all)
            }
            _ => Vec::new(),
        };
        part.choices = map.get("enum").and_then(Value::as_array).cloned();
        part.multiple_of = decimal(map, "multipleOf");
        let flag = |key: &str| map.get(key) == Some(&Value::Bool(true));
        part.maximum = decimal(map, "maximum");
        part.below = if flag("exclusiveMaximum") {
            part.maximum.take()
        } else {
            decimal(map, "exclusiveMaximum")
        };
        part.minimum = decimal(map, "minimum");
        part.above = if flag("exclusiveMinimum") {
            part.minimum.take()
        } else {
            decimal(map, "exclusiveMinimum")
        };
        part.min_length = count(map, "minLength");
        part.max_length = count(map, "maxLength");
        if let Some(Value::String(pattern)) = map.get("pattern") {
            let regexp = self.regexp(pattern, "pattern")?;
            part.pattern = Some((regexp, pattern.clone()));
        }
        part.min_items = count(map, "minItems");
        part.max_items = count(map, "maxItems");
        part.unique_items = flag("uniqueItems");
        part.max_properties = count(map, "maxProperties");
        part.min_properties = count(map, "minProperties");
        part.required = match map.get("required") {
            Some(Value::Array(names)) => texts(names),
            _ => Vec::new(),
        };
        // From draft 2019-09 on formats are notes, unless a metaschema of its own says otherwise.
        if self.compiler.assert_format || self.draft < 2019 {
            part.format = map.get("format").and_then(Value::as_str).map(str::to_owned);
        }
        Ok(())
    }

    /// Keywords of drafts after the fourth.
    fn later(&mut self, map: &'v Map<String, Value>, part: &mut Part) -> Result<(), String> {
        if self.draft >= 6 {
            part.contains = self.one(map, "contains");
            part.property_names = self.one(map, "propertyNames");
            part.constant = map.get("const").cloned();
        }
        if self.draft >= 7 {
            part.condition = self.one(map, "if");
            if part.condition.is_some() {
                let flag = map.get("if").and_then(Value::as_bool);
                part.then = self.one(map, "then").filter(|_| flag != Some(false));
                part.otherwise = self.one(map, "else").filter(|_| flag != Some(true));
            }
        }
        if self.draft >= 2019 {
            part.recursive_ref = self.reference(map, "$recursiveRef")?;
            part.recursive_anchor = map.get("$recursiveAnchor") == Some(&Value::Bool(true));
            if part.contains.is_some() {
                part.min_contains = count(map, "minContains");
                part.max_contains = count(map, "maxContains");
            }
            if let Some(Value::Object(all)) = map.get("dependentRequired") {
                let lists = all
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), texts(value.as_array()?))));
                part.dependent_required = lists.collect();
            }
            part.dependent_schemas = self.named(map, "dependentSchemas");
            part.unevaluated_items = self.one(map, "unevaluatedItems");
            part.unevaluated_properties = self.one(map, "unevaluatedProperties");
        }
        if self.draft >= 2020 {
            self.newest(map, part)?;
        }
        Ok(())
    }

    fn newest(&mut self, map: &'v Map<String, Value>, part: &mut Part) -> Result<(), String> {
        if let Some(id) = self.reference(map, "$dynamicRef")? {
            let text = map.get("$dynamicRef").and_then(Value::as_str);
            let fragment = text
                .and_then(|text| text.split_once('#'))
                .map_or("", |(_, f)| f);
            let anchor = if fragment.starts_with('/') {
                ""
            } else {
                fragment
            };
            part.dynamic_ref = Some((id, anchor.to_owned()));
        }
        if let Some(Value::String(name)) = map.get("$dynamicAnchor") {
            part.dynamic_anchor.clone_from(name);
        }
        part.prefix_items = self.list(map, "prefixItems");
        part.rest_items = self.one(map, "items");
        Ok(())
    }

    fn below(&mut self, tokens: &[&str]) -> Id {
        let place = self.place.below(tokens);
        self.compiler.enqueue(place)
    }

    fn one(&mut self, map: &Map<String, Value>, key: &str) -> Option<Id> {
        map.contains_key(key).then(|| self.below(&[key]))
    }

    fn list(&mut self, map: &Map<String, Value>, key: &str) -> Vec<Id> {
        let Some(Value::Array(items)) = map.get(key) else {
            return Vec::new();
        };
        (0..items.len())
            .map(|at| self.below(&[key, &at.to_string()]))
            .collect()
    }

    fn named(&mut self, map: &Map<String, Value>, key: &str) -> BTreeMap<String, Id> {
        let Some(Value::Object(all)) = map.get(key) else {
            return BTreeMap::new();
        };
        all.keys()
            .map(|name| (name.clone(), self.below(&[key, name])))
            .collect()
    }

    fn additional(&mut self, map: &Map<String, Value>, key: &str) -> Option<Additional> {
        match map.get(key)? {
            Value::Bool(allowed) => Some(Additional::Allowed(*allowed)),
            _ => Some(Additional::Part(self.below(&[key]))),
        }
    }

    fn reference(&mut self, map: &Map<String, Value>, key: &str) -> Result<Option<Id>, String> {
        let Some(Value::String(reference)) = map.get(key) else {
            return Ok(None);
        };
        let place = match self.compiler.documents.follow(self.place, reference)? {
            Target::Known(place) => place,
            Target::Elsewhere { url, fragment } => {
                self.compiler.load(&url)?;
                self.compiler.documents.fragment(&url, &fragment)?
            }
        };
        Ok(Some(self.compiler.enqueue(place)))
    }

    fn regexp(&self, pattern: &str, key: &str) -> Result<Regexp, String> {
        Regexp::new(pattern).map_err(|error| {
            let place = &self.place;
            let at = format!(
                "{}#{}/{}",
                place.url,
                encode(&place.pointer),
                encode(&escape(key))
            );
            format!(
                "invalid regex {} at {}: {error}",
                quote(pattern.as_bytes()),
                quote(at.as_bytes())
            )
        })
    }
}

/// Types in the order in which the library keeps them; unknown ones are dropped.
fn known_types(wanted: &[&str]) -> Vec<String> {
    const ORDER: [&str; 7] = [
        "null", "boolean", "number", "integer", "string", "array", "object",
    ];
    let known = ORDER.iter().filter(|name| wanted.contains(name));
    known.map(|name| (*name).to_owned()).collect()
}

fn texts(items: &[Value]) -> Vec<String> {
    let texts = items.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn number<'m>(map: &'m Map<String, Value>, key: &str) -> Option<&'m Number> {
    match map.get(key) {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    }
}

fn decimal(map: &Map<String, Value>, key: &str) -> Option<Decimal> {
    number(map, key).map(Decimal::new)
}

fn count(map: &Map<String, Value>, key: &str) -> Option<usize> {
    let decimal = decimal(map, key).filter(|number| number.is_integer())?;
    Some(decimal.float().max(0.0) as usize)
}
