//! Values as YAML nodes: tagged scalars as text, lists, maps in the order in which they are printed.

use objects::Value;

/// Deepest nesting looked at when keys are put in order.
const DEPTH_MAX: usize = 128;

/// A value with the order of its keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Type name and text.
    Scalar(&'static str, String),
    /// Items in order.
    List(Vec<Node>),
    /// Entries in order.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Converts a JSON value; keys are put in the order of printed manifests.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Scalar("<nil>", "null".to_owned()),
            Value::Bool(value) => Self::Scalar("bool", value.to_string()),
            Value::Number(number) if number.is_f64() => Self::Scalar("float", number.to_string()),
            Value::Number(number) => Self::Scalar("int", number.to_string()),
            Value::String(text) => Self::Scalar("string", text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Object(map) => {
                let mut entries: Vec<(String, Self)> = map
                    .iter()
                    .map(|(key, value)| (key.clone(), Self::of(value)))
                    .collect();
                entries.sort_by(|(a, _), (b, _)| kyaml::natural_cmp(a, b));
                Self::Map(entries)
            }
        }
    }

    /// Names the type as reports do.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Scalar(name, _) => name,
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Returns a map's entry.
    pub fn entry(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Returns a scalar's text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Scalar(..) => 0,
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(entries) => 1 + entries.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
        }
    }

    /// Puts what identifies an entry first and what is deep last, in maps that have an identifying key.
    pub fn restructure(&mut self) {
        self.restructure_to(DEPTH_MAX);
    }

    fn restructure_to(&mut self, depth: usize) {
        if depth == 0 {
            return;
        }
        match self {
            Self::Scalar(..) => {}
            Self::List(items) => items
                .iter_mut()
                .for_each(|item| item.restructure_to(depth - 1)),
            Self::Map(entries) => {
                if let Some(order) = best_order(entries) {
                    entries.sort_by_key(|(key, value)| {
                        match order.iter().position(|known| known == key) {
                            Some(place) => (0, place),
                            None => (1, value.depth()),
                        }
                    });
                }
                entries
                    .iter_mut()
                    .for_each(|(_, value)| value.restructure_to(depth - 1));
            }
        }
    }
}

/// Key orders that upstream's library knows, first match of the most hits wins.
const KEY_ORDERS: &[&[&str]] = &[
    &[
        "name",
        "director_uuid",
        "releases",
        "instance_groups",
        "networks",
        "resource_pools",
        "compilation",
    ],
    &["name", "url", "version", "sha1"],
    &["jobs", "resources", "resource_types"],
    &["name", "type", "source"],
    &["get"],
    &["put"],
    &["task"],
    &["releases", "instance_groups", "configuration", "variables"],
    &["auth", "templates"],
    &["name"],
    &["key"],
    &["id"],
];

fn best_order(entries: &[(String, Node)]) -> Option<&'static [&'static str]> {
    let hits = |order: &[&str]| {
        entries
            .iter()
            .filter(|(k, _)| order.contains(&k.as_str()))
            .count()
    };
    let mut best: Option<(&'static [&'static str], usize)> = None;
    for order in KEY_ORDERS {
        let count = hits(order);
        if count > best.map_or(0, |(_, count)| count) {
            best = Some((order, count));
        }
    }
    best.map(|(order, _)| order)
}
