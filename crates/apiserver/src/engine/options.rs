//! Query parameters and `DeleteOptions` as plain data, checked with the server's texts.

use std::collections::HashMap;

use cluster::{Propagation, Validation};
use objects::{Map, Value, json};

use super::Context;
use crate::failure::{Answered, Failure, field};

/// Parameters of get, list, watch and collection deletes.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Label selector.
    pub labels: String,
    /// Field selector.
    pub fields: String,
    /// Most items; 0 means all.
    pub limit: usize,
    /// Token of the next page.
    pub continue_token: String,
    /// Version asked for, as sent.
    pub resource_version: String,
    /// `Exact`, `NotOlderThan` or "".
    pub version_match: String,
    /// Whether this is a watch.
    pub watch: bool,
    /// Whether bookmarks are welcome.
    pub bookmarks: bool,
    /// Whether the watch begins with the present state and a marked bookmark.
    pub initial_events: Option<bool>,
    /// Seconds after which a watch ends; 0 means the server's choice.
    pub timeout_seconds: u64,
}

/// Parameters of create, update and patch.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// `fieldManager` as sent; may be empty.
    pub manager: String,
    /// Whether nothing is stored.
    pub dry_run: bool,
    /// `force`; only for apply.
    pub force: Option<bool>,
    /// Treatment of unknown fields.
    pub validation: Validation,
    /// What the text of a patch has twice, or should not have.
    pub oddities: super::Repeated,
}

/// `DeleteOptions` from the query and the body together.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Treatment of dependents.
    pub propagation: Propagation,
    /// Uid precondition; empty for none.
    pub uid: String,
    /// Version precondition; empty for none.
    pub resource_version: String,
    /// Grace period asked for.
    pub grace_seconds: Option<i64>,
    /// Whether nothing is deleted.
    pub dry_run: bool,
}

/// A parsed query string; the first value of each parameter counts, but for `dryRun`.
pub type Query = HashMap<String, Vec<String>>;

/// Parses a query string.
pub fn parse_query(query: &str) -> Query {
    let mut parsed = Query::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        parsed
            .entry(percent_decode(key, true))
            .or_default()
            .push(percent_decode(value, true));
    }
    parsed
}

/// Decodes `%XX` (and `+` in queries).
pub fn percent_decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
                continue;
            }
            (b'+', _, _) if plus => out.push(b' '),
            (byte, _, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Returns the value of a parameter that counts; "" where it is absent.
pub(crate) fn first<'a>(query: &'a Query, key: &str) -> &'a str {
    query
        .get(key)
        .and_then(|values| values.first())
        .map_or("", String::as_str)
}

fn flag(query: &Query, key: &str) -> Option<bool> {
    let value = query.get(key)?.first()?;
    Some(!matches!(
        value.as_str(),
        "false" | "0" | "f" | "F" | "False" | "FALSE"
    ))
}

/// Parses a number as Go's query conversion does; "" is none.
pub(crate) fn parse_integer(text: &str) -> Answered<Option<i64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let numeric = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let why = if numeric {
        "value out of range"
    } else {
        "invalid syntax"
    };
    text.parse()
        .map(Some)
        .map_err(|_| Failure::bad_request(format!("strconv.ParseInt: parsing \"{text}\": {why}")))
}

impl ListOptions {
    /// Reads the parameters of a query.
    pub fn read(query: &Query) -> Answered<Self> {
        let number = |key: &str| parse_integer(first(query, key)).map(|n| n.unwrap_or(0));
        let limit = number("limit")?;
        let timeout = number("timeoutSeconds")?;
        let options = Self {
            labels: first(query, "labelSelector").to_owned(),
            fields: first(query, "fieldSelector").to_owned(),
            limit: usize::try_from(limit).unwrap_or(0),
            continue_token: first(query, "continue").to_owned(),
            resource_version: first(query, "resourceVersion").to_owned(),
            version_match: first(query, "resourceVersionMatch").to_owned(),
            watch: flag(query, "watch").unwrap_or(false),
            bookmarks: flag(query, "allowWatchBookmarks").unwrap_or(false),
            initial_events: flag(query, "sendInitialEvents"),
            timeout_seconds: u64::try_from(timeout).unwrap_or(0),
        };
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Answered<()> {
        let causes = if self.watch {
            self.watch_causes()
        } else {
            self.list_causes()
        };
        if causes.is_empty() {
            Ok(())
        } else {
            Err(Failure::invalid_options("ListOptions", causes))
        }
    }

    fn watch_causes(&self) -> Vec<cluster::StatusCause> {
        const FIELD: &str = "resourceVersionMatch";
        let mut causes = Vec::new();
        if self.initial_events.is_some() && self.version_match != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            causes.push(field::forbidden(FIELD, why));
        }
        if self.initial_events.is_none() && !self.version_match.is_empty() {
            let why =
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            causes.push(field::forbidden(FIELD, why));
        }
        if !matches!(self.version_match.as_str(), "" | "NotOlderThan") {
            let value = json!(self.version_match);
            causes.push(field::not_supported(FIELD, &value, &["NotOlderThan"]));
        }
        causes
    }

    fn list_causes(&self) -> Vec<cluster::StatusCause> {
        const FIELD: &str = "resourceVersionMatch";
        let mut causes = Vec::new();
        if self.initial_events.is_some() {
            let why = "sendInitialEvents is forbidden for list";
            causes.push(field::forbidden("sendInitialEvents", why));
        }
        if self.version_match.is_empty() {
            return causes;
        }
        if self.resource_version.is_empty() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            causes.push(field::forbidden(FIELD, why));
        }
        if !self.continue_token.is_empty() {
            let why = "resourceVersionMatch is forbidden when continue is provided";
            causes.push(field::forbidden(FIELD, why));
        }
        if !matches!(self.version_match.as_str(), "Exact" | "NotOlderThan") {
            let value = json!(self.version_match);
            causes.push(field::not_supported(
                FIELD,
                &value,
                &["Exact", "NotOlderThan", ""],
            ));
        }
        if self.version_match == "Exact" && self.resource_version == "0" {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            causes.push(field::forbidden(FIELD, why));
        }
        causes
    }
}

impl WriteOptions {
    /// Reads the parameters of a query; `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`.
    pub fn read(query: &Query, kind: &str, apply: bool) -> Answered<Self> {
        let mut causes = Vec::new();
        let manager = first(query, "fieldManager").to_owned();
        let force = flag(query, "force").filter(|_| kind == "PatchOptions");
        if kind == "PatchOptions" {
            if apply && manager.is_empty() {
                causes.push(field::required(
                    "fieldManager",
                    "is required for apply patch",
                ));
            }
            if !apply && force.is_some() {
                causes.push(field::forbidden(
                    "force",
                    "may not be specified for non-apply patch",
                ));
            }
        }
        check_manager(&manager, &mut causes);
        let dry_run = check_dry_run(query.get("dryRun"), &mut causes);
        let validation = first(query, "fieldValidation");
        let validation = match validation {
            "" | "Warn" => Validation::Default,
            "Ignore" => Validation::Ignore,
            "Strict" => Validation::Strict,
            other => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                causes.push(field::not_supported(
                    "fieldValidation",
                    &json!(other),
                    &supported,
                ));
                Validation::Default
            }
        };
        if causes.is_empty() {
            Ok(Self {
                manager,
                dry_run,
                force,
                validation,
                oddities: super::Repeated::default(),
            })
        } else {
            Err(Failure::invalid_options(kind, causes))
        }
    }

    /// Returns the field manager: the one sent, else the first part of the user agent.
    pub fn manager<'a>(&'a self, context: &'a Context) -> &'a str {
        if !self.manager.is_empty() {
            return &self.manager;
        }
        let agent = context.user_agent.split('/').next().unwrap_or("");
        let end = agent
            .char_indices()
            .take_while(|(index, c)| *index < 128 && !c.is_control())
            .map(|(index, c)| index + c.len_utf8())
            .last()
            .unwrap_or(0);
        if end == 0 { "unknown" } else { &agent[..end] }
    }
}

fn check_manager(manager: &str, causes: &mut Vec<cluster::StatusCause>) {
    if manager.len() > 128 {
        causes.push(field::too_long("fieldManager", "bytes", 128));
    }
    if let Some(index) = manager.chars().position(|c| c.is_control()) {
        let character = manager.chars().nth(index).map_or(0, u32::from);
        let why = format!("invalid character U+{character:04X} (at position {index})");
        causes.push(field::invalid("fieldManager", &json!(manager), &why));
    }
}

fn check_dry_run(values: Option<&Vec<String>>, causes: &mut Vec<cluster::StatusCause>) -> bool {
    let Some(values) = values else { return false };
    if values.iter().any(|value| value != "All") {
        causes.push(field::not_supported("dryRun", &json!(values), &["All"]));
    }
    !values.is_empty()
}

impl DeleteOptions {
    /// Reads the body (a `DeleteOptions` object) or, without one, the query.
    pub fn read(query: &Query, body: Option<&Map>) -> Answered<Self> {
        let mut causes = Vec::new();
        let from_query = Map::new();
        let source = body.unwrap_or(&from_query);
        let member = |key: &str| -> Option<String> {
            if body.is_some() {
                source.get(key).and_then(Value::as_str).map(str::to_owned)
            } else {
                query.get(key)?.first().cloned()
            }
        };
        let grace_seconds = match body {
            Some(body) => body.get("gracePeriodSeconds").and_then(Value::as_i64),
            None => parse_integer(first(query, "gracePeriodSeconds"))?,
        };
        // A negative period means the shortest there is.
        let grace_seconds = grace_seconds.map(|seconds| if seconds < 0 { 1 } else { seconds });
        let orphan = match body {
            Some(body) => body.get("orphanDependents").and_then(Value::as_bool),
            None => flag(query, "orphanDependents"),
        };
        let policy = member("propagationPolicy");
        if orphan.is_some() && policy.is_some() {
            let value = json!(policy);
            causes.push(field::invalid(
                "propagationPolicy",
                &value,
                "orphanDependents and deletionPropagation cannot be both set",
            ));
        }
        let propagation = match (policy.as_deref(), orphan) {
            (None, None) => Propagation::Default,
            (None, Some(true)) | (Some("Orphan"), _) => Propagation::Orphan,
            (None, Some(false)) | (Some("Background"), _) => Propagation::Background,
            (Some("Foreground"), _) => Propagation::Foreground,
            (Some(other), _) => {
                let supported = ["Foreground", "Background", "Orphan", "nil"];
                causes.push(field::not_supported(
                    "propagationPolicy",
                    &json!(other),
                    &supported,
                ));
                Propagation::Default
            }
        };
        let listed: Option<Vec<String>> = match body {
            Some(body) => body.get("dryRun").and_then(Value::as_array).map(|list| {
                list.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            }),
            None => query.get("dryRun").cloned(),
        };
        let dry_run = check_dry_run(listed.as_ref(), &mut causes);
        if !causes.is_empty() {
            return Err(Failure::invalid_options("DeleteOptions", causes));
        }
        let precondition = |key: &str| {
            source
                .get("preconditions")
                .and_then(|p| p.get(key))
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        Ok(Self {
            propagation,
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            grace_seconds,
            dry_run,
        })
    }
}
