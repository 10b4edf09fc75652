//! The structured-merge vectors, recorded from the reference library.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use objects::schema::{Schema, TypeId, smd_json};
use objects::smd::{
    Conflict, Conflicts, ConvertError, Converter, Duplicates, FieldFilter, FieldSet, ManagedSet,
    Managers, PathElement, PatternElement, SetMatcher, Typed, UpdateError, Updater, compare_values,
    reconcile_field_set, set_from_value, values_equal,
};
use objects::{Value, json};
use testkit::corpus::{Report, data_dir};

/// Cases that differ, with the reason.
const KNOWN: &[(&str, &str)] = &[];

type Outcome = Result<(), String>;
type Check = fn(&Schemas, &Value) -> Outcome;

/// Files of the corpus and how their cases are checked.
const SUITES: &[(&str, Check)] = &[
    ("update-apply", operations),
    ("generated", operations),
    ("merge", merge),
    ("compare", compare),
    ("to-field-set", to_field_set),
    ("set-from-value", schemaless_set),
    ("validate", validate),
    ("remove-extract", remove_extract),
    ("reversible-extract", reversible_extract),
    ("extract-with-keys", extract_with_keys),
    ("reconcile", reconcile),
    ("set-ops", set_operations),
    ("set-json", set_json),
    ("path-element", path_element),
    ("path-string", path_string),
    ("order", order),
];

#[test]
fn merge_vectors() {
    let Some(dir) = data_dir("smd") else { return };
    let schemas = Schemas::read(&dir);
    let mut report = Report::new("smd");
    for (suite, check) in SUITES {
        let document = read(&dir.join(format!("{suite}.json")));
        for case in document["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            report.case(&format!("{suite}/{name}"), check(&schemas, case));
        }
    }
    report.check(KNOWN);
}

fn operations(schemas: &Schemas, case: &Value) -> Outcome {
    let mut run = Run::new(schemas, case);
    let mut failed = false;
    let ops = case["ops"].as_array().unwrap();
    let steps = case.get("steps").and_then(Value::as_array);
    for (i, op) in ops.iter().enumerate() {
        let outcome = run.step(op);
        failed = outcome.is_err();
        if let Some(expected) = op.get("expectConflicts") {
            let actual = match &outcome {
                Err(Failure::Conflicts(conflicts)) => shown(conflicts),
                _ => json!([]),
            };
            same("expectConflicts", &sorted(expected), &sorted(&actual))?;
        }
        let Some(step) = steps.and_then(|steps| steps.get(i)) else {
            continue;
        };
        run.compare(step, &outcome)
            .map_err(|e| format!("op {i} {op}: {e}"))?;
    }
    if case.get("finalError").is_some() {
        return if failed {
            Ok(())
        } else {
            Err("the last op succeeded".into())
        };
    }
    if let Some(expected) = case.get("expectObject") {
        let live = match (case["expectObjectAPIVersion"].as_str(), &run.live) {
            (Some(version), Some(live)) => run
                .converter()
                .convert(live, version)
                .map_or(Value::Null, |live| plain(&live)),
            _ => run.live_value(),
        };
        same("expectObject", expected, &live)?;
    }
    if let Some(expected) = case.get("expectManaged") {
        let mut expected = expected.clone();
        let mut actual = run.managed_value();
        for side in [&mut expected, &mut actual] {
            for entry in side.as_object_mut().unwrap().values_mut() {
                entry.as_object_mut().unwrap().remove("applied");
            }
        }
        same("expectManaged", &expected, &actual)?;
    }
    Ok(())
}

fn merge(schemas: &Schemas, case: &Value) -> Outcome {
    let ty = schemas.type_of(case, "v1");
    let lhs = ty.typed(&case["lhs"], Duplicates::Allowed)?;
    let rhs = ty.typed(&case["rhs"], Duplicates::Refused)?;
    let merged = lhs.merge(&rhs).map_err(|e| e.to_string())?;
    same("merged", &case["expect"], &plain(&merged))
}

fn compare(schemas: &Schemas, case: &Value) -> Outcome {
    let ty = schemas.type_of(case, "v1");
    let lhs = ty.typed(&case["lhs"], Duplicates::Allowed)?;
    let rhs = ty.typed(&case["rhs"], Duplicates::Allowed)?;
    let there = lhs.compare(&rhs).map_err(|e| e.to_string())?;
    let back = rhs.compare(&lhs).map_err(|e| e.to_string())?;
    for (name, expected, set) in [
        ("added", "expectAdded", &there.added),
        ("modified", "expectModified", &there.modified),
        ("removed", "expectRemoved", &there.removed),
        ("added back", "expectRemoved", &back.added),
        ("modified back", "expectModified", &back.modified),
        ("removed back", "expectAdded", &back.removed),
    ] {
        same(name, &case[expected], &set.to_value())?;
    }
    Ok(())
}

fn to_field_set(schemas: &Schemas, case: &Value) -> Outcome {
    let ty = schemas.type_of(case, "v1");
    let value = ty.typed(&case["object"], Duplicates::Allowed)?;
    same("set", &case["expect"], &value.to_field_set().to_value())
}

fn schemaless_set(_: &Schemas, case: &Value) -> Outcome {
    let set = set_from_value(&case["object"]);
    same("set", &case["expect"], &set.to_value())
}

fn validate(schemas: &Schemas, case: &Value) -> Outcome {
    let object = &case["object"];
    let valid = case["valid"] == json!(true);
    if object.get("$yaml").is_some() {
        return if valid {
            Err("not an object".into())
        } else {
            Ok(())
        };
    }
    let ty = schemas.type_of(case, "v1");
    let strict = ty.typed(object, Duplicates::Refused);
    if valid {
        return strict.map(|_| ());
    }
    let Err(error) = strict else {
        return Err("passes".into());
    };
    if let Some(expected) = case["error"].as_str() {
        let first_path = |text: &str| {
            let line = text
                .lines()
                .find(|l| !l.starts_with("errors:"))
                .unwrap_or("");
            line.trim().split(": ").next().unwrap_or("").to_owned()
        };
        let paths = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(first_path).collect();
            lines.sort();
            lines
        };
        same("paths", &json!(paths(expected)), &json!(paths(&error)))?;
    }
    let lenient = ty.typed(object, Duplicates::Allowed).is_ok();
    same(
        "validWithDuplicates",
        &case["validWithDuplicates"],
        &json!(lenient),
    )
}

fn remove_extract(schemas: &Schemas, case: &Value) -> Outcome {
    let ty = schemas.type_of(case, "v1");
    let value = ty.typed(&case["object"], Duplicates::Allowed)?;
    let set = field_set(&case["set"])?;
    for (name, key, result) in [
        ("removed", "expectRemove", value.remove_items(&set)),
        ("extracted", "expectExtract", value.extract_items(&set)),
    ] {
        if case[key] != "unparseable" {
            same(name, &case[key], &plain(&result))?;
        }
    }
    Ok(())
}

fn reversible_extract(schemas: &Schemas, case: &Value) -> Outcome {
    let ty = schemas.type_of(case, "v1");
    let value = ty.typed(&case["object"], Duplicates::Allowed)?;
    let partial = ty.typed(&case["partial"], Duplicates::Allowed)?;
    let merged = value.merge(&partial).map_err(|e| e.to_string())?;
    let extracted = merged.extract_items(&partial.to_field_set().leaves());
    same("extracted", &case["partial"], &plain(&extracted))
}

fn extract_with_keys(schemas: &Schemas, case: &Value) -> Outcome {
    let ty = schemas.type_of(case, "v1");
    let value = ty.typed(&case["object"], Duplicates::Allowed)?;
    let extracted = value.extract_items_with_keys(&field_set(&case["set"])?);
    same("extracted", &case["expect"], &plain(&extracted))
}

fn reconcile(schemas: &Schemas, case: &Value) -> Outcome {
    let schema = &schemas.by_id[case["newSchema"].as_str().unwrap()];
    let ty = schema.named(case["type"].as_str().unwrap()).unwrap();
    let set = reconcile_field_set(&field_set(&case["oldFields"])?, schema, ty)
        .map_err(|e| e.to_string())?;
    let actual = set.map_or(Value::Null, |set| set.to_value());
    same("fields", &case["expectFields"], &actual)
}

fn set_operations(schemas: &Schemas, case: &Value) -> Outcome {
    let a = field_set(&case["a"])?;
    let actual = match case["kind"].as_str().unwrap() {
        "leaves" => a.leaves(),
        "difference" => {
            let b = field_set(&case["b"])?;
            let recursive = a.recursive_difference(&b).to_value();
            same("recursive", &case["expectRecursive"], &recursive)?;
            a.difference(&b)
        }
        "ensure-named-fields" => {
            let ty = schemas.type_of(case, "v1");
            a.ensure_named_fields(&ty.schema, Some(ty.id))
        }
        "filter" => filter(&case["filter"]).filter(&a),
        other => return Err(format!("unknown kind {other}")),
    };
    same("set", &case["expect"], &actual.to_value())
}

fn set_json(_: &Schemas, case: &Value) -> Outcome {
    let set = FieldSet::from_json(case["input"].as_str().unwrap());
    match (case["kind"].as_str().unwrap(), set) {
        ("error", Err(_)) => Ok(()),
        ("error", Ok(set)) => Err(format!("read as {}", set.to_json())),
        (_, Err(error)) => Err(error.to_string()),
        (_, Ok(set)) => match case["output"].as_str() {
            Some(output) => same("text", &json!(output), &json!(set.to_json())),
            None => same("text", &case["input"], &json!(set.to_json())),
        },
    }
}

fn path_element(_: &Schemas, case: &Value) -> Outcome {
    let element = PathElement::parse(case["input"].as_str().unwrap());
    match (case["kind"].as_str().unwrap(), element) {
        ("error", Err(_)) => Ok(()),
        ("error", Ok(element)) => Err(format!("read as {}", element.serialized())),
        (_, Err(error)) => Err(error.to_string()),
        (_, Ok(element)) => same("text", &case["output"], &json!(element.serialized())),
    }
}

fn path_string(_: &Schemas, case: &Value) -> Outcome {
    let path: Vec<PathElement> = case["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| PathElement::parse(e.as_str().unwrap()).unwrap())
        .collect();
    same(
        "text",
        &case["expect"],
        &json!(PathElement::display_path(&path)),
    )
}

fn order(_: &Schemas, case: &Value) -> Outcome {
    let (there, back) = if case["kind"] == "value" {
        (
            compare_values(&case["a"], &case["b"]),
            compare_values(&case["b"], &case["a"]),
        )
    } else {
        let a = PathElement::parse(case["a"].as_str().unwrap()).unwrap();
        let b = PathElement::parse(case["b"].as_str().unwrap()).unwrap();
        (a.cmp(&b), b.cmp(&a))
    };
    let expected = if case["equal"] == json!(true) {
        std::cmp::Ordering::Equal
    } else {
        std::cmp::Ordering::Less
    };
    if there == expected && back == expected.reverse() {
        Ok(())
    } else {
        Err(format!("{there:?}, back {back:?}"))
    }
}

/// Schemas by id.
struct Schemas {
    by_id: BTreeMap<String, Arc<Schema>>,
}

/// A type in its schema.
#[derive(Clone)]
struct TypeOf {
    schema: Arc<Schema>,
    id: TypeId,
}

impl Schemas {
    fn read(dir: &Path) -> Self {
        let document = read(&dir.join("schemas.json"));
        let by_id = document.as_object().unwrap().iter().map(|(id, spec)| {
            let schema = smd_json::load(spec).expect("recorded schemas are well formed");
            (id.clone(), Arc::new(schema))
        });
        Self {
            by_id: by_id.collect(),
        }
    }

    fn type_of(&self, case: &Value, api_version: &str) -> TypeOf {
        self.resolve(case["schema"].as_str(), &case["type"], api_version)
    }

    fn resolve(&self, schema: Option<&str>, ty: &Value, api_version: &str) -> TypeOf {
        let name = match ty {
            Value::String(name) => name.as_str(),
            other => other["namedType"].as_str().unwrap(),
        };
        if name == "deduced" {
            let (schema, id) = Schema::deduced();
            return TypeOf { schema, id };
        }
        let name = if name == "by-api-version" {
            api_version
        } else {
            name
        };
        let schema = Arc::clone(&self.by_id[schema.unwrap()]);
        let id = schema
            .named(name)
            .unwrap_or_else(|| panic!("no type {name}"));
        TypeOf { schema, id }
    }
}

impl TypeOf {
    fn typed(&self, value: &Value, duplicates: Duplicates) -> Result<Typed, String> {
        Typed::new(&self.schema, self.id, value.clone(), duplicates).map_err(|e| e.to_string())
    }
}

/// A sequence of operations on one object.
struct Run<'a> {
    schemas: &'a Schemas,
    case: &'a Value,
    schema: Option<String>,
    live: Option<Typed>,
    managers: Managers,
    accepted: Vec<String>,
}

enum Failure {
    Conflicts(Conflicts),
    Other(String),
}

impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Conflicts(conflicts) => Self::Conflicts(conflicts),
            other => Self::Other(other.to_string()),
        }
    }
}

impl<'a> Run<'a> {
    fn new(schemas: &'a Schemas, case: &'a Value) -> Self {
        Self {
            schemas,
            case,
            schema: case["schema"].as_str().map(Into::into),
            live: None,
            managers: Managers::new(),
            accepted: Vec::new(),
        }
    }

    fn type_of(&self, version: &str) -> TypeOf {
        self.schemas
            .resolve(self.schema.as_deref(), &self.case["type"], version)
    }

    fn step(&mut self, op: &Value) -> Result<(), Failure> {
        let version = op["apiVersion"].as_str().unwrap_or("");
        let manager = op["manager"].as_str().unwrap_or("");
        match op["op"].as_str().unwrap() {
            "accept" => {
                self.accepted = op["versions"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|v| v.as_str().unwrap().to_owned())
                    .collect();
                Ok(())
            }
            "changeSchema" => {
                self.schema = op["schema"].as_str().map(Into::into);
                if let Some(live) = &self.live {
                    let name = live.schema.get(live.ty).name.clone().unwrap();
                    let schema = Arc::clone(&self.schemas.by_id[op["schema"].as_str().unwrap()]);
                    let ty = schema.named(&name).unwrap();
                    let value = live.value.clone();
                    self.live = Some(Typed { schema, ty, value });
                }
                Ok(())
            }
            "update" => self.update(op, version, manager),
            "apply" => {
                let object = self.object(op, version, Duplicates::Refused)?;
                let force = op["force"] == json!(true);
                self.apply(&object, version, manager, force)
            }
            "extractApply" => {
                let object = self.object(op, version, Duplicates::Refused)?;
                let owned = self.managers.get(manager).map(|m| m.set.leaves());
                let object = match (&self.live, owned) {
                    (Some(live), Some(owned)) => live
                        .extract_items(&owned)
                        .merge(&object)
                        .map_err(|e| Failure::Other(e.to_string()))?,
                    _ => object,
                };
                self.apply(&object, version, manager, true)
            }
            other => Err(Failure::Other(format!("unknown op {other}"))),
        }
    }

    fn object(&self, op: &Value, version: &str, duplicates: Duplicates) -> Result<Typed, Failure> {
        self.type_of(version)
            .typed(&op["object"], duplicates)
            .map_err(Failure::Other)
    }

    fn update(&mut self, op: &Value, version: &str, manager: &str) -> Result<(), Failure> {
        let object = self.object(op, version, Duplicates::Allowed)?;
        let converter = self.converter();
        let live = self.live_in(&converter, version)?;
        let updater = self.updater(&converter);
        let managers = updater.update(&live, &object, version, self.managers.clone(), manager)?;
        self.managers = managers;
        self.live = Some(object);
        Ok(())
    }

    fn apply(
        &mut self,
        object: &Typed,
        version: &str,
        manager: &str,
        force: bool,
    ) -> Result<(), Failure> {
        let converter = self.converter();
        let live = self.live_in(&converter, version)?;
        let updater = self.updater(&converter);
        let applied = updater.apply(
            &live,
            object,
            version,
            self.managers.clone(),
            manager,
            force,
        )?;
        self.managers = applied.managers;
        self.live = Some(applied.object.unwrap_or(live));
        Ok(())
    }

    fn live_in(&mut self, converter: &Conversion<'_>, version: &str) -> Result<Typed, Failure> {
        let live = self.live.clone().unwrap_or_else(|| {
            let ty = self.type_of(version);
            Typed::new_unchecked(&ty.schema, ty.id, Value::Null)
        });
        converter
            .convert(&live, version)
            .map_err(|e| Failure::Other(e.to_string()))
    }

    fn converter(&self) -> Conversion<'a> {
        Conversion {
            kind: self.case["converter"].as_str().unwrap_or("none"),
            accepted: self.accepted.clone(),
        }
    }

    fn updater<'c>(&self, converter: &'c dyn Converter) -> Updater<'c> {
        let mut updater = Updater::new(converter);
        updater.return_input_on_noop = self.case["returnInputOnNoop"] == json!(true);
        for (version, set) in self.case["ignoredFields"].as_object().into_iter().flatten() {
            let set = field_set(set).unwrap();
            updater
                .filters
                .insert(version.clone(), FieldFilter::Exclude(set));
        }
        for (version, spec) in self.case["ignoreFilter"].as_object().into_iter().flatten() {
            updater.filters.insert(version.clone(), filter(spec));
        }
        updater
    }

    fn compare(&self, step: &Value, outcome: &Result<(), Failure>) -> Outcome {
        match (outcome, step.get("conflicts"), step.get("error")) {
            (Ok(()), None, None) => {}
            (Err(Failure::Conflicts(conflicts)), Some(expected), _) => {
                same("conflicts", &sorted(expected), &sorted(&shown(conflicts)))?;
                let text = conflicts.to_string();
                same("conflictText", &step["conflictText"], &json!(text))?;
            }
            (Err(Failure::Other(_)), None, Some(_)) => {}
            (Err(Failure::Other(error)), ..) => return Err(format!("failed: {error}")),
            (Err(Failure::Conflicts(conflicts)), ..) => return Err(format!("failed: {conflicts}")),
            (Ok(()), ..) => return Err(format!("succeeded, expected {step}")),
        }
        if let Some(expected) = step.get("live") {
            same("live", expected, &self.live_value())?;
        }
        if let Some(expected) = step.get("managed") {
            same("managed", expected, &self.managed_value())?;
        }
        Ok(())
    }

    fn live_value(&self) -> Value {
        self.live.as_ref().map_or(Value::Null, plain)
    }

    fn managed_value(&self) -> Value {
        let entries = self.managers.iter().map(|(key, entry)| {
            let ManagedSet {
                set,
                api_version,
                applied,
            } = entry;
            let entry = json!({
                "apiVersion": **api_version, "applied": applied, "fields": set.to_value(),
            });
            (key.clone(), entry)
        });
        Value::Object(entries.collect())
    }
}

/// The converters that the vectors describe.
struct Conversion<'a> {
    kind: &'a str,
    accepted: Vec<String>,
}

impl Converter for Conversion<'_> {
    fn convert(&self, object: &Typed, version: &str) -> Result<Typed, ConvertError> {
        let missing = || ConvertError::MissingVersion(version.to_owned());
        let value = object.value.as_deref().unwrap_or(&Value::Null);
        let converted = match self.kind {
            "rename-suffix" => {
                let own = object.schema.get(object.ty).name.clone().unwrap();
                rename(value, &own, version)
            }
            "repeat-key" => {
                let times = version
                    .trim_start_matches('v')
                    .parse()
                    .map_err(|_| missing())?;
                repeat(value, times, 0)
            }
            "reliant-fields" => reliant(value, version).ok_or_else(missing)??,
            "accept-listed" if !self.accepted.iter().any(|v| v == version) => {
                return Err(missing());
            }
            _ => return Ok(object.clone()),
        };
        let ty = object.schema.named(version).unwrap_or(object.ty);
        Ok(Typed::new_unchecked(&object.schema, ty, converted))
    }
}

fn rename(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::Object(map) => {
            let renamed = map.iter().map(|(key, value)| {
                let key = match key.strip_suffix(from) {
                    Some(stem) => format!("{stem}{to}"),
                    None => key.clone(),
                };
                (key, rename(value, from, to))
            });
            Value::Object(renamed.collect())
        }
        Value::Array(items) => items.iter().map(|v| rename(v, from, to)).collect(),
        other => other.clone(),
    }
}

fn repeat(value: &Value, times: usize, depth: usize) -> Value {
    match value {
        Value::Object(map) => {
            let repeated = map.iter().map(|(key, value)| {
                let key = if depth == 0 {
                    key.clone()
                } else {
                    key[..1].repeat(times)
                };
                (key, repeat(value, times, depth + 1))
            });
            Value::Object(repeated.collect())
        }
        other => other.clone(),
    }
}

fn reliant(value: &Value, version: &str) -> Option<Result<Value, ConvertError>> {
    let (from, to) = match version {
        "v1" => ("required_field_bar", "field_foo_rely_on_bar"),
        "v2" => ("field_foo_rely_on_bar", "required_field_bar"),
        _ => return None,
    };
    let mut map = value.as_object().cloned().unwrap_or_default();
    match map.remove(from) {
        Some(value) => {
            map.insert(to.into(), value);
        }
        None if version == "v1" && !value.is_null() && !map.contains_key(to) => {
            return Some(Err(ConvertError::Other(format!("{from} is required"))));
        }
        None => {}
    }
    Some(Ok(Value::Object(map)))
}

fn filter(spec: &Value) -> FieldFilter {
    match spec.get("exclude") {
        Some(set) => FieldFilter::Exclude(field_set(set).unwrap()),
        None => FieldFilter::Include(matcher(&spec["include"])),
    }
}

fn matcher(spec: &Value) -> SetMatcher {
    if spec["wildcard"] == json!(true) {
        return SetMatcher::Any;
    }
    let members = spec["members"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|member| {
            let element = if member["any"] == json!(true) {
                PatternElement::Any
            } else {
                let text = member["element"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{member}"));
                PatternElement::Is(PathElement::parse(text).unwrap())
            };
            (element, matcher(&member["child"]))
        });
    SetMatcher::members(members.collect())
}

fn shown(conflicts: &Conflicts) -> Value {
    conflicts
        .0
        .iter()
        .map(|Conflict { manager, path }| {
            json!({"manager": manager, "path": PathElement::display_path(path)})
        })
        .collect()
}

fn sorted(list: &Value) -> Value {
    let mut items = list.as_array().cloned().unwrap_or_default();
    items.sort_by_key(Value::to_string);
    Value::Array(items)
}

fn field_set(value: &Value) -> Result<FieldSet, String> {
    FieldSet::from_value(value).map_err(|e| e.to_string())
}

fn plain(typed: &Typed) -> Value {
    typed.value.as_deref().cloned().unwrap_or(Value::Null)
}

fn same(what: &str, expected: &Value, actual: &Value) -> Outcome {
    if values_equal(expected, actual) {
        Ok(())
    } else {
        Err(format!(
            "{what}\n  expected {expected}\n  actual   {actual}"
        ))
    }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}
