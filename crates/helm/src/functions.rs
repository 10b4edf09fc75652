//! The functions that Helm adds to the template language, and those of Sprig that it replaces or removes.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gotemplate::json::{self, Style};
use gotemplate::time::Time;
use gotemplate::{
    Call, CallError, CallResult, Function, Host, List, Map, Registry, Type, Value, sprig,
};
use kyaml::json_kind;

use crate::convert::{Unsupported, from_json, to_json, to_json_floats};
use crate::note::Note;
use crate::schema::{SchemaLoader, SingleError, validate_single};
use crate::{Version, toml};

const T: Type = Type::Text;
const A: Type = Type::Any;

/// Where `lookup` finds objects of the cluster.
pub trait Lookup: Send + Sync {
    /// One object by name, or a list object where the name is empty; `None` where nothing is found.
    ///
    /// # Errors
    /// The cluster could not answer; the render fails with this text.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<objects::Value>, String>;
}

/// What rendering may ask of the world.
pub struct World {
    /// The present time.
    pub now: Time,
    /// Source of random bytes.
    pub random: fn(&mut [u8]),
    /// The cluster, where there is one.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Who brings documents that schemas refer to; without it they are refused.
    pub schemas: Option<Arc<dyn SchemaLoader>>,
    /// Lint mode: `required` and `fail` let the render go on.
    pub lint: bool,
    /// Whether a template asked for the time, for randomness or for objects of the cluster.
    asked: AtomicBool,
    /// Whether notes for debugging are kept, too.
    pub debug: bool,
    /// What Helm would log, in order.
    pub notes: Mutex<Vec<Note>>,
}

/// Most notes that are kept of one render.
const NOTES_MAX: usize = 1000;

impl World {
    /// A world without a cluster, at a time in seconds and nanoseconds since 1970.
    pub fn offline(unix_seconds: i64, nanoseconds: u32, random: fn(&mut [u8])) -> Self {
        Self {
            now: Time::unix(unix_seconds, nanoseconds),
            random,
            lookup: None,
            schemas: None,
            lint: false,
            debug: false,
            asked: AtomicBool::new(false),
            notes: Mutex::default(),
        }
    }

    /// Checks values against a schema, with what this world has to say about it.
    pub(crate) fn check(&self, schema: &[u8], values: &Map) -> Result<(), SingleError> {
        let mut notes = Vec::new();
        let outcome = validate_single(schema, values, self.schemas.as_deref(), &mut notes);
        let mut told = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        for note in notes {
            // Each reference is told once.
            if told.len() < NOTES_MAX && !told.contains(&note) {
                told.push(note);
            }
        }
        outcome
    }

    pub(crate) fn say(&self, note: Note) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES_MAX {
            notes.push(note);
        }
    }

    pub(crate) fn say_all(&self, notes: Vec<Note>) {
        for note in notes {
            self.say(note);
        }
    }

    /// Whether a template asked for anything that may differ next time.
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }
}

impl Host for World {
    fn now(&self) -> Time {
        self.note();
        self.now.clone()
    }

    fn random(&self, buffer: &mut [u8]) {
        self.note();
        (self.random)(buffer);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Texts around a message of `required` and `fail`, by which the error is found again.
const WARN_START: &str = "HELM_ERR_START";
const WARN_END: &str = "HELM_ERR_END";

/// The message that `required` or `fail` put into an error text.
pub(crate) fn warning(text: &str) -> Option<&str> {
    let start = text.find(WARN_START)? + WARN_START.len();
    let end = start + text[start..].rfind(WARN_END)?;
    Some(&text[start..end])
}

fn warn<V>(message: &str) -> Result<V, CallError> {
    Err(CallError::text(format!("{WARN_START}{message}{WARN_END}")))
}

/// All functions that a chart's templates may call.
pub fn registry(version: Version) -> Registry {
    let mut registry = Registry::new();
    registry.add(&sprig::functions()).add(FUNCTIONS);
    if version == Version::V4 {
        registry.add(FUNCTIONS_V4);
    }
    registry
}

const FUNCTIONS: &[Function] = &[
    Function::fixed("include", &[T, A], T, |c| {
        let (name, data) = (c.shared_text(0), c.value(1));
        Ok(Value::text(c.run.include(&name, &data)?))
    }),
    Function::fixed("tpl", &[T, A], T, |c| {
        let (text, data) = (c.shared_text(0), c.value(1));
        Ok(Value::text(without_no_value(c.run.evaluate(&text, &data)?)))
    }),
    Function::fixed("required", &[T, A], A, required),
    Function::fixed("fail", &[T], T, |c| {
        let message = c.str(0);
        if let Some(world) = world(c).filter(|world| world.lint) {
            world.say(Note::Failure(message.into_owned()));
            return Ok("".into());
        }
        warn(&message)
    }),
    Function::fixed("lookup", &[T, T, T, T], Type::Map, lookup),
    Function::fixed("getHostByName", &[T], T, |_| Ok("".into())),
    Function::fixed("toYaml", &[A], T, |c| {
        Ok(yaml(&c.args[0]).unwrap_or_default().into())
    }),
    Function::fixed("toYamlPretty", &[A], T, |c| {
        Ok(yaml_pretty(&c.args[0])?.into())
    }),
    Function::fixed("fromYaml", &[T], Type::Map, |c| {
        Ok(from_text(c, read_yaml(c.text(0))))
    }),
    Function::fixed("fromYamlArray", &[T], Type::List, |c| {
        Ok(from_text_array(read_yaml(c.text(0)), YAML_PREFIX))
    }),
    Function::fixed("fromJson", &[T], Type::Map, |c| {
        Ok(match read_json(c.text(0)) {
            (Ok(Value::Map(map)), Some(error)) => {
                map.set("Error", Value::from(error));
                Value::Map(map)
            }
            (value, _) => map_or_error(value, ""),
        })
    }),
    Function::fixed("fromJsonArray", &[T], Type::List, |c| {
        Ok(match read_json(c.text(0)) {
            (Ok(Value::List(_)), Some(error)) => Value::list(vec![Value::from(error)]),
            (value, _) => from_text_array(value, ""),
        })
    }),
    Function::fixed("toToml", &[A], T, |c| {
        check_toml(&c.args[0])?;
        Ok(toml::write(&c.args[0]).unwrap_or_else(|error| error).into())
    }),
    Function::fixed("fromToml", &[T], Type::Map, |c| {
        Ok(toml::read(c.text(0))
            .unwrap_or_else(|error| Value::map([("Error", Value::from(error))])))
    }),
];

const FUNCTIONS_V4: &[Function] = &[
    Function::fixed("mustToYaml", &[A], T, |c| {
        Ok(yaml(&c.args[0]).map_err(CallError::Text)?.into())
    }),
    Function::fixed("mustToToml", &[A], T, |c| {
        check_toml(&c.args[0])?;
        Ok(toml::write(&c.args[0]).map_err(CallError::Text)?.into())
    }),
    Function::fixed("mustToJson", &[A], T, |c| {
        let text = json::write(&c.args[0], Style::Compact);
        Ok(text
            .map_err(|error| CallError::text(error.to_string()))?
            .into())
    }),
];

/// Writing a nil panics upstream instead of giving an error.
fn check_toml(value: &Value) -> Result<(), CallError> {
    if value.is_nil() {
        return Err(CallError::text(toml::NIL_PANIC));
    }
    Ok(())
}

/// What sigs.k8s.io/yaml writes before the errors of the JSON decoder.
const YAML_PREFIX: &str = "error unmarshaling JSON: while decoding JSON: ";

fn world<'c>(c: &'c Call<'_, '_>) -> Option<&'c World> {
    c.host().as_any().downcast_ref()
}

/// Output without the marks that absent values leave.
pub(crate) fn without_no_value(text: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"<no value>";
    let mut marks = memchr::memmem::find_iter(&text, MARK).peekable();
    if marks.peek().is_none() {
        return text;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut start = 0;
    for at in marks {
        out.extend_from_slice(&text[start..at]);
        start = at + MARK.len();
    }
    out.extend_from_slice(&text[start..]);
    out
}

fn required(c: &mut Call<'_, '_>) -> CallResult {
    let value = c.value(1);
    let absent = match &value {
        Value::Nil => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    };
    if !absent {
        return Ok(value);
    }
    let message = c.str(0);
    if let Some(world) = world(c).filter(|world| world.lint) {
        let message = message.into_owned();
        world.say(if value.is_nil() {
            Note::MissingValue(message)
        } else {
            Note::EmptyValue(message)
        });
        return Ok("".into());
    }
    warn(&message)
}

fn lookup(c: &mut Call<'_, '_>) -> CallResult {
    let empty = || Value::Map(Map::new(Default::default()));
    let cluster = world(c)
        .filter(|world| !world.lint)
        .and_then(|world| world.lookup.clone());
    let Some(cluster) = cluster else {
        return Ok(empty());
    };
    if let Some(world) = world(c) {
        world.note();
    }
    let found = cluster.lookup(&c.str(0), &c.str(1), &c.str(2), &c.str(3));
    Ok(found
        .map_err(CallError::Text)?
        .map_or_else(empty, |object| from_json(&object)))
}

/// `toYaml`: one trailing line break removed.
pub(crate) fn yaml(value: &Value) -> Result<String, String> {
    let json = to_json(value).map_err(|error| format!("error marshaling into JSON: {error}"))?;
    let mut text = kyaml::emit_sigs(&json).map_err(|error| error.to_string())?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// `toYamlPretty`: empty where a value cannot be written; what the library panics at is an error.
fn yaml_pretty(value: &Value) -> Result<String, CallError> {
    let json = match to_json_floats(value) {
        Ok(json) => json,
        Err(Unsupported::Type(name)) => {
            return Err(CallError::text(format!("cannot marshal type: {name}")));
        }
        Err(Unsupported::Value(_)) => return Ok(String::new()),
    };
    let mut text = kyaml::emit_pretty(&json).unwrap_or_default();
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

fn read_yaml(text: &[u8]) -> Result<Value, String> {
    let json = kyaml::yaml_to_json(text).map_err(|error| error.to_string())?;
    Ok(from_json(&json))
}

/// The value, and the error of a number that became nil inside it.
fn read_json(text: &[u8]) -> (Result<Value, String>, Option<String>) {
    match json::parse_partly(text) {
        Ok((value @ (Value::Map(_) | Value::List(_)), error)) => {
            (Ok(value), error.map(|error| error.to_string()))
        }
        // A number that is not wanted at all is not looked at.
        Ok((_, Some(_))) => (Ok(Value::Float(0.0)), None),
        Ok((value, None)) => (Ok(value), None),
        Err(error) => (Err(error.to_string()), None),
    }
}

fn from_text(_c: &Call<'_, '_>, value: Result<Value, String>) -> Value {
    map_or_error(value, YAML_PREFIX)
}

/// The map that was read, or a map that holds the error.
fn map_or_error(value: Result<Value, String>, prefix: &str) -> Value {
    let error = match value {
        Ok(Value::Map(map)) => return Value::Map(map),
        // A null leaves the empty map that the decoder was given... but JSON makes it nil.
        Ok(Value::Nil) if prefix.is_empty() => return Value::Map(Map::nil()),
        Ok(Value::Nil) => return Value::Map(Map::new(Default::default())),
        Ok(other) => mismatch(prefix, &other, "map[string]interface {}"),
        Err(error) => error,
    };
    Value::map([("Error", Value::from(error))])
}

/// The list that was read, or a list that holds the error.
fn from_text_array(value: Result<Value, String>, prefix: &str) -> Value {
    let error = match value {
        Ok(Value::List(list)) => return Value::List(list),
        Ok(Value::Nil) if prefix.is_empty() => {
            return Value::List(List::nil(gotemplate::Element::Any));
        }
        Ok(Value::Nil) => return Value::list(Vec::new()),
        Ok(other) => mismatch(prefix, &other, "[]interface {}"),
        Err(error) => error,
    };
    Value::list(vec![Value::from(error)])
}

fn mismatch(prefix: &str, value: &Value, wanted: &str) -> String {
    let json = to_json(value).unwrap_or_default();
    format!(
        "{prefix}json: cannot unmarshal {} into Go value of type {wanted}",
        json_kind(&json)
    )
}
