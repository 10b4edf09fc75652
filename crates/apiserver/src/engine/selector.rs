//! Label and field selectors of list, watch and collection-delete requests, with the server's error texts.

use crate::catalog::Resource;
use crate::failure::{Answered, Failure};
use crate::store::Entry;

/// One label requirement.
#[derive(Clone, Debug, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

/// Which objects a request selects.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    labels: Vec<Requirement>,
    /// Field, wanted value, whether it must differ.
    fields: Vec<(String, String, bool)>,
}

impl Selection {
    /// Parses both selectors for a resource.
    pub fn parse(resource: &Resource, labels: &str, fields: &str) -> Answered<Self> {
        Ok(Self {
            labels: parse_labels(labels)?,
            fields: parse_fields(resource, fields)?,
        })
    }

    /// Parses a label selector alone; `None` where it is malformed.
    pub fn of_labels(labels: &str) -> Option<Self> {
        Some(Self {
            labels: parse_labels(labels).ok()?,
            fields: Vec::new(),
        })
    }

    /// Tells whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Tells whether one version of an object is selected.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.labels.iter().all(|r| r.matches(entry))
            && self.fields.iter().all(|(field, wanted, differ)| {
                (entry.field(field).unwrap_or("") == wanted) != *differ
            })
    }

    /// Returns the name that the field selector asks for, if it asks for one.
    pub fn name(&self) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _, differ)| field == "metadata.name" && !differ)
            .map(|(_, name, _)| name.as_str())
    }
}

impl Requirement {
    fn matches(&self, entry: &Entry) -> bool {
        let value = |key: &str| {
            let labels = &entry.meta.labels;
            labels
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, v)| v.as_str())
        };
        match self {
            Self::In(key, values) => value(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(key, values) => !value(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::Exists(key) => value(key).is_some(),
            Self::Absent(key) => value(key).is_none(),
            Self::Greater(key, bound) => number(value(key)).is_some_and(|n| n > *bound),
            Self::Less(key, bound) => number(value(key)).is_some_and(|n| n < *bound),
        }
    }
}

fn number(text: Option<&str>) -> Option<i64> {
    text?.parse().ok()
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
            Self::End => "",
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 10] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<", "\u{0}"];
    let mut tokens = Vec::new();
    let mut rest = text;
    'outer: while let Some(first) = rest.chars().next() {
        if first.is_ascii_whitespace() {
            rest = &rest[1..];
            continue;
        }
        for sign in SIGNS {
            if let Some(after) = rest.strip_prefix(sign) {
                tokens.push(Token::Sign(sign));
                rest = after;
                continue 'outer;
            }
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || "!=(),><\0".contains(c))
            .unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = &rest[end..];
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

fn parse_labels(text: &str) -> Answered<Vec<Requirement>> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
    };
    parser.requirements().map_err(Failure::bad_request)
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut found = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Sign("!") => {
                    let requirement = self
                        .requirement()
                        .map_err(|why| format!("unable to parse requirement: {why}"))?;
                    found.push(requirement);
                    match self.next() {
                        Token::End => return Ok(found),
                        Token::Sign(",") => match self.peek() {
                            Token::Word(_) | Token::Sign("!") => {}
                            other => {
                                return Err(format!(
                                    "found '{}', expected: identifier after ','",
                                    other.text()
                                ));
                            }
                        },
                        other => {
                            return Err(format!(
                                "found '{}', expected: ',' or 'end of string'",
                                other.text()
                            ));
                        }
                    }
                }
                Token::End => return Ok(found),
                other => {
                    return Err(format!(
                        "found '{}', expected: !, identifier, or 'end of string'",
                        other.text()
                    ));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = *self.peek() == Token::Sign("!");
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        check_key(&key)?;
        if absent {
            return Ok(Requirement::Absent(key));
        }
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(Requirement::Exists(key));
        }
        let operator = self.next();
        match operator.text() {
            "in" => Ok(Requirement::In(key.clone(), self.values(&key)?)),
            "notin" => Ok(Requirement::NotIn(key.clone(), self.values(&key)?)),
            "=" | "==" => Ok(Requirement::In(key.clone(), vec![self.value(&key)?])),
            "!=" => Ok(Requirement::NotIn(key.clone(), vec![self.value(&key)?])),
            ">" => Ok(Requirement::Greater(key.clone(), self.integer(&key)?)),
            "<" => Ok(Requirement::Less(key.clone(), self.integer(&key)?)),
            other => Err(format!(
                "found '{other}', expected: in, notin, =, ==, !=, gt, lt"
            )),
        }
    }

    fn integer(&mut self, key: &str) -> Result<i64, String> {
        let value = self.value(key)?;
        value.parse().map_err(|_| {
            format!(
                "values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        })
    }

    fn value(&mut self, key: &str) -> Result<String, String> {
        match self.peek().clone() {
            Token::End | Token::Sign(",") => Ok(String::new()),
            Token::Word(value) => {
                self.next();
                check_value(key, 0, &value)?;
                Ok(value)
            }
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    fn values(&mut self, key: &str) -> Result<Vec<String>, String> {
        match self.next() {
            Token::Sign("(") => {}
            other => return Err(format!("found '{}' expected: '('", other.text())),
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Token::Word(value) => {
                    check_value(key, values.len(), &value)?;
                    values.push(value);
                    match self.next() {
                        Token::Sign(",") => {}
                        Token::Sign(")") => return Ok(values),
                        other => {
                            return Err(format!("found '{}', expected: ',' or ')'", other.text()));
                        }
                    }
                }
                Token::Sign(",") => values.push(String::new()),
                Token::Sign(")") => {
                    values.push(String::new());
                    return Ok(values);
                }
                other => {
                    let or = if values.is_empty() {
                        "',', ')' or"
                    } else {
                        "',', or"
                    };
                    return Err(format!(
                        "found '{}', expected: {or} identifier",
                        other.text()
                    ));
                }
            }
        }
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let problems = crate::names::qualified_name(key);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "<nil>: Invalid value: \"{key}\": {}",
        problems.join("; ")
    ))
}

fn check_value(key: &str, index: usize, value: &str) -> Result<(), String> {
    let problems = crate::names::label_value(value);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "values[{index}][{key}]: Invalid value: \"{value}\": {}",
        problems.join("; ")
    ))
}

fn parse_fields(resource: &Resource, text: &str) -> Answered<Vec<(String, String, bool)>> {
    let mut found = Vec::new();
    for term in split_terms(text) {
        let Some((field, value, differ)) = split_term(term) else {
            let why = format!("invalid selector: '{term}'; can't understand '{term}'");
            return Err(Failure::bad_request(why));
        };
        let value = unescape(value).map_err(|why| {
            let why = why.unwrap_or_else(|| text.to_owned());
            Failure::bad_request(format!("invalid field selector: {why}"))
        })?;
        // Upstream reads a term without a field as one that everything fits.
        if field.is_empty() && value.is_empty() && !differ {
            continue;
        }
        if !matches!(field, "metadata.name" | "metadata.namespace")
            && !selectable(resource).contains(&field)
        {
            return Err(Failure::bad_request(unknown_label(resource, field)));
        }
        let field = stored_field(resource, field);
        found.push((field, value, differ));
    }
    Ok(found)
}

fn unknown_label(resource: &Resource, field: &str) -> String {
    let known_words = resource.custom.is_some() || !selectable(resource).is_empty();
    if resource.is("batch", "jobs") {
        format!("field label \"{field}\" not supported for Job")
    } else if known_words {
        format!("field label not supported: {field}")
    } else {
        format!(
            "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )
    }
}

fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms.retain(|term| !term.is_empty());
    terms
}

fn split_term(term: &str) -> Option<(&str, &str, bool)> {
    for (index, _) in term.char_indices() {
        for (operator, differ) in [("!=", true), ("==", false), ("=", false)] {
            if let Some(value) = term[index..].strip_prefix(operator) {
                return Some((&term[..index], value, differ));
            }
        }
    }
    None
}

/// Reads a value; the failure names a broken escape sequence, where that is the reason.
fn unescape(value: &str) -> Result<String, Option<String>> {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                other => {
                    let sequence: String = std::iter::once('\\').chain(other).collect();
                    return Err(Some(format!("invalid escape sequence: {sequence}")));
                }
            },
            ',' | '=' => return Err(None),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Returns the fields that a kind can be selected by, besides name and namespace.
pub fn selectable(resource: &Resource) -> Vec<&str> {
    if let Some(custom) = &resource.custom {
        return custom.selectable.iter().map(String::as_str).collect();
    }
    let fields: &[&str] = match (resource.group(), resource.plural()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.host",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "secrets") => &["type"],
        ("", "namespaces") => &["status.phase"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        ("certificates.k8s.io", "certificatesigningrequests") => &["spec.signerName"],
        _ => &[],
    };
    fields.to_vec()
}

/// Translates the name of a selectable field of events into the stored form's.
pub fn stored_field(resource: &Resource, field: &str) -> String {
    if resource.is("", "pods") && field == "spec.host" {
        return "spec.nodeName".to_owned();
    }
    if resource.group() != "events.k8s.io" {
        return field.to_owned();
    }
    match field {
        "reportingController" => "reportingComponent".to_owned(),
        field => field.replacen("regarding.", "involvedObject.", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn selectors_are_read_as_upstream_reads_them() {
        for (text, fits) in [
            ("a=b,c!=d", true),
            ("a in (b, c),!d,e", true),
            ("a>1,b<2", true),
            ("", true),
            ("a==", true),
            ("a in b", false),
            ("a=b,", false),
            ("=b", false),
            ("a in (b", false),
        ] {
            assert_eq!(Selection::of_labels(text).is_some(), fits, "{text}");
        }
    }

    /// Texts made of what selectors are made of, so that most of them get beyond the first token.
    fn selector_text() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just(","),
            Just("="),
            Just("=="),
            Just("!="),
            Just("!"),
            Just(" in "),
            Just(" notin "),
            Just("("),
            Just(")"),
            Just("<"),
            Just(">"),
            Just("a"),
            Just("b.c/d"),
            Just("7"),
            Just(" "),
        ];
        prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn selectors_of_plausible_tokens_never_panic(text in selector_text()) {
            let _ = Selection::of_labels(&text);
            for term in split_terms(&text) {
                let _ = split_term(term).map(|(_, value, _)| unescape(value));
            }
        }

        #[test]
        fn what_labels_say_is_selected_by_it(
            key in "[a-z]([-a-z0-9.]{0,10}[a-z0-9])?",
            value in "[a-z0-9]([-a-z0-9_.]{0,10}[a-z0-9])?",
        ) {
            let text = serde_json::json!({"metadata": {"name": "a", "labels": {key.clone(): value.clone()}}});
            let object = text.as_object().unwrap();
            let entry = crate::store::Draft::new(object, Vec::new()).seal(1);
            let outcomes = [
                format!("{key}={value}"),
                format!("{key} in (x, {value})"),
                format!("{key},!{key}-x"),
                format!("{key}!={value}"),
                format!("{key} notin ({value})"),
                format!("!{key}"),
            ]
            .map(|text| Selection::of_labels(&text).unwrap().matches(&entry));
            prop_assert_eq!(outcomes, [true, true, true, false, false, false]);
        }

        #[test]
        fn arbitrary_selectors_never_panic(text: String) {
            let _ = Selection::of_labels(&text);
            for term in split_terms(&text) {
                let _ = split_term(term).map(|(_, value, _)| unescape(value));
            }
        }
    }
}
