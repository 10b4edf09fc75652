//! Writing: scalars before tables, keys sorted, tables indented by two spaces per level.

use gocompat::number::format_float;
use gotemplate::time::{Time, time_of};
use gotemplate::{Text, Tree, Value};

use super::{DEPTH_MAX, LOCAL_DATE, LOCAL_DATETIME, LOCAL_TIME, is_bare};

/// What a template sees when it writes a nil.
pub const NIL_PANIC: &str = "reflect: call of reflect.Value.Type on zero Value";

/// Most bytes that are written.
const BYTES_MAX: usize = 64 << 20;

/// Writes a value as TOML.
///
/// # Errors
/// What TOML cannot hold; the text is upstream's.
///
/// A nil at the top panics upstream: see [`NIL_PANIC`].
pub fn write(value: &Value) -> Result<String, String> {
    let mut writer = Writer { out: String::new() };
    writer.value(&[], value)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
}

type Written = Result<(), String>;

/// How a value stands in a table: nothing, inline, a table, or an array of tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Nothing,
    Inline,
    Table,
    Tables,
}

fn shape(value: &Value) -> Result<Shape, String> {
    Ok(match value {
        Value::Nil => Shape::Nothing,
        Value::Map(map) if map.is_nil() => Shape::Nothing,
        Value::Map(_) => Shape::Table,
        Value::List(list) if list.is_nil() => Shape::Nothing,
        Value::List(list) => list_shape(list.items())?,
        Value::Complex(..) => return Err("unsupported type: complex128".to_owned()),
        _ if struct_entries(value).is_some() => Shape::Table,
        _ => Shape::Inline,
    })
}

/// The exported fields of a struct, under Go's names.
fn struct_entries(value: &Value) -> Option<Tree> {
    let Value::Object(object) = value else {
        return None;
    };
    let fields = object.fields().into_iter();
    let fields: Tree = fields
        .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|(name, value)| (name.into(), value))
        .collect();
    (!fields.is_empty() && marshaled(value).is_none() && time_of(value).is_none()).then_some(fields)
}

fn list_shape(items: &[Value]) -> Result<Shape, String> {
    let mut tables = !items.is_empty();
    for item in items {
        match shape(item)? {
            Shape::Nothing => return Err("toml: cannot encode array with nil element".to_owned()),
            Shape::Table => {}
            _ => tables = false,
        }
    }
    Ok(if tables { Shape::Tables } else { Shape::Inline })
}

/// A key, quoted where it must be.
pub(super) fn key_text(key: &Text) -> String {
    if is_bare(key) {
        key.to_string()
    } else {
        quoted(key)
    }
}

fn quoted(text: &Text) -> String {
    let mut out = String::from("\"");
    for c in text.to_str().chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Writer {
    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn indent(&mut self, depth: usize) {
        self.out
            .extend(std::iter::repeat_n("  ", depth.saturating_sub(1)));
    }

    fn value(&mut self, key: &[Text], value: &Value) -> Written {
        if key.len() > DEPTH_MAX || self.out.len() > BYTES_MAX {
            return Err("toml: values are nested too deeply or too large".to_owned());
        }
        if key.is_empty() && matches!(value, Value::Complex(..)) {
            return Err("unsupported type for key '': complex128".to_owned());
        }
        match shape(value)? {
            Shape::Nothing => Ok(()),
            Shape::Table => self.table(key, value),
            Shape::Tables => self.tables(key, value),
            Shape::Inline => self.pair(key, value),
        }
    }

    fn pair(&mut self, key: &[Text], value: &Value) -> Written {
        let Some(name) = key.last() else {
            return self.element(value, 0);
        };
        self.indent(key.len());
        self.out.push_str(&key_text(name));
        self.out.push_str(" = ");
        self.element(value, key.len())?;
        self.newline();
        Ok(())
    }

    fn header(&mut self, key: &[Text], brackets: (&str, &str)) {
        self.indent(key.len());
        let name: Vec<String> = key.iter().map(key_text).collect();
        self.out.push_str(brackets.0);
        self.out.push_str(&name.join("."));
        self.out.push_str(brackets.1);
        self.newline();
    }

    fn table(&mut self, key: &[Text], value: &Value) -> Written {
        if key.len() == 1 {
            self.newline();
        }
        if !key.is_empty() {
            self.header(key, ("[", "]"));
        }
        self.entries(key, value)
    }

    fn tables(&mut self, key: &[Text], value: &Value) -> Written {
        if key.is_empty() {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        for item in value.elements().unwrap_or_default().iter() {
            self.newline();
            self.header(key, ("[[", "]]"));
            self.entries(key, item)?;
        }
        Ok(())
    }

    fn entries(&mut self, key: &[Text], value: &Value) -> Written {
        let entries = struct_entries(value)
            .or_else(|| value.entries())
            .unwrap_or_default();
        let mut later = Vec::new();
        for (name, item) in &entries {
            if matches!(shape(item)?, Shape::Table | Shape::Tables) {
                later.push((name, item));
                continue;
            }
            self.value(&[key, std::slice::from_ref(name)].concat(), item)?;
        }
        for (name, item) in later {
            self.value(&[key, std::slice::from_ref(name)].concat(), item)?;
        }
        Ok(())
    }

    fn element(&mut self, value: &Value, depth: usize) -> Written {
        if depth > DEPTH_MAX || self.out.len() > BYTES_MAX {
            return Err("toml: values are nested too deeply or too large".to_owned());
        }
        match value {
            Value::Bool(flag) => self.out.push_str(&flag.to_string()),
            Value::Text(text) => self.out.push_str(&quoted(text)),
            Value::Float(number) => self.out.push_str(&float(*number)),
            Value::Map(_) => return self.inline_table(value, depth),
            Value::Object(_) if time_of(value).is_some() => {
                let time = time_of(value).unwrap_or_else(Time::zero);
                self.out.push_str(&moment(&time));
            }
            _ => {
                if let Some(number) = value.as_int() {
                    self.out.push_str(&number.to_string());
                } else if let Some(number) = value.as_uint() {
                    self.out.push_str(&number.to_string());
                } else if let Some(items) = value.elements() {
                    return self.array(&items, depth);
                } else if let Some(text) = marshaled(value) {
                    self.out.push_str(&quoted(&text));
                } else if value.entries().is_some() {
                    return self.inline_table(value, depth);
                } else {
                    return Err(format!("unexpected type: {}", value.type_name()));
                }
            }
        }
        Ok(())
    }

    fn array(&mut self, items: &[Value], depth: usize) -> Written {
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.element(item, depth + 1)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn inline_table(&mut self, value: &Value, depth: usize) -> Written {
        let entries = value.entries().unwrap_or_default();
        let (mut direct, mut tables) = (Vec::new(), Vec::new());
        for (name, item) in &entries {
            match shape(item)? {
                Shape::Table | Shape::Tables => tables.push((name, item)),
                _ => direct.push((name, item)),
            }
        }
        self.out.push('{');
        let (directs, all) = (direct.len(), direct.len() + tables.len());
        for (index, (name, item)) in direct.into_iter().chain(tables).enumerate() {
            if item.is_nil() {
                continue;
            }
            self.out.push_str(&key_text(name));
            self.out.push_str(" = ");
            self.element(item, depth + 1)?;
            let last = index + 1 == all || (index + 1 == directs && directs == all);
            if !last {
                self.out.push_str(", ");
            }
        }
        self.out.push('}');
        Ok(())
    }
}

/// The text of types that write themselves as text, such as versions.
fn marshaled(value: &Value) -> Option<Text> {
    let Value::Object(object) = value else {
        return None;
    };
    match object.json() {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() {
            "-nan"
        } else {
            "nan"
        }
        .to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let text = format_float(number, 'g', None, 64);
    if text.contains(['e', '.']) {
        text
    } else {
        text + ".0"
    }
}

fn moment(time: &Time) -> String {
    time.format(match time.zone_name().as_str() {
        LOCAL_DATETIME => "2006-01-02T15:04:05.999999999",
        LOCAL_DATE => "2006-01-02",
        LOCAL_TIME => "15:04:05.999999999",
        _ => "2006-01-02T15:04:05.999999999Z07:00",
    })
}
