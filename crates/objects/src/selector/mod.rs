//! Label selectors: as the text of queries, and as objects have them.
//!
//! In: text or a `matchLabels`/`matchExpressions` map. Out: whether labels fit, or the text. All other crates select by
//! these, whatever they call labels: annotations, and fields that are selected alike.

mod parse;

use std::fmt;

use crate::{Map, Value};

/// What labels have to be; an empty one fits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

/// A selector that cannot be read, in the words of `labels.Parse`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Is(String),
    IsNot(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
    /// An operator that there is not: fits nothing.
    Unknown,
}

impl LabelSelector {
    /// Reads a text such as `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>1`.
    ///
    /// # Errors
    /// Says what was found and what was expected there, or what is wrong with a key or value.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let requirements = parse::parse(text).map_err(SelectorError)?;
        Ok(Self { requirements })
    }

    /// Reads the `matchLabels` and `matchExpressions` of a selector in an object.
    pub fn of_object(selector: &Map) -> Self {
        let labels = selector.get("matchLabels").and_then(Value::as_object);
        let mut requirements = Self::of_labels(labels.unwrap_or(&Map::new())).requirements;
        let expressions = selector.get("matchExpressions").and_then(Value::as_array);
        requirements.extend(expressions.into_iter().flatten().map(Requirement::of));
        Self { requirements }
    }

    /// Selects what has all of some labels.
    pub fn of_labels(labels: &Map) -> Self {
        let requirements = labels.iter().map(|(key, value)| Requirement {
            key: key.clone(),
            test: Test::Is(value.as_str().unwrap_or("").to_owned()),
        });
        Self {
            requirements: requirements.collect(),
        }
    }

    /// Tells whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Tells whether labels fit; `value` returns that of a key.
    pub fn matches<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.test.holds(value(&requirement.key)))
    }

    /// Tells whether the labels of a map fit.
    pub fn matches_map(&self, labels: &Map) -> bool {
        self.matches(|key| labels.get(key)?.as_str())
    }

    /// Returns the requirements as text, in their order.
    pub fn terms(&self) -> impl Iterator<Item = String> {
        self.requirements.iter().map(ToString::to_string)
    }
}

impl Requirement {
    /// Reads one of `matchExpressions`.
    fn of(expression: &Value) -> Self {
        let text = |key: &str| expression.get(key).and_then(Value::as_str).unwrap_or("");
        let values = || {
            let values = expression.get("values").and_then(Value::as_array);
            let values = values.into_iter().flatten().filter_map(Value::as_str);
            values.map(str::to_owned).collect()
        };
        Self {
            key: text("key").to_owned(),
            test: match text("operator") {
                "In" => Test::In(values()),
                "NotIn" => Test::NotIn(values()),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::Absent,
                _ => Test::Unknown,
            },
        }
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Is(wanted) => value == Some(wanted),
            Self::IsNot(unwanted) => value != Some(unwanted),
            Self::In(wanted) => value.is_some_and(|value| wanted.iter().any(|w| w == value)),
            Self::NotIn(unwanted) => {
                !value.is_some_and(|value| unwanted.iter().any(|u| u == value))
            }
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Greater(bound) => number().is_some_and(|number| number > *bound),
            Self::Less(bound) => number().is_some_and(|number| number < *bound),
            Self::Unknown => false,
        }
    }
}

impl fmt::Display for LabelSelector {
    /// Writes the selector as queries have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms: Vec<String> = self.terms().collect();
        f.write_str(&terms.join(","))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.test {
            Test::Is(value) => write!(f, "{key}={value}"),
            Test::IsNot(value) => write!(f, "{key}!={value}"),
            Test::In(values) => write!(f, "{key} in ({})", values.join(",")),
            Test::NotIn(values) => write!(f, "{key} notin ({})", values.join(",")),
            Test::Exists | Test::Unknown => f.write_str(key),
            Test::Absent => write!(f, "!{key}"),
            Test::Greater(bound) => write!(f, "{key}>{bound}"),
            Test::Less(bound) => write!(f, "{key}<{bound}"),
        }
    }
}

#[cfg(test)]
mod tests;
