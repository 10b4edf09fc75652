//! Reads: single objects, lists with paging and versions of the past, and the start of watches.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use objects::json;

use super::decode::go_syntax_error;
use super::selector::Selection;
use super::{Engine, ListOptions, Place};
use crate::failure::{Answered, Failure};
use crate::store::{Cursor, Entry};

/// How long a read waits for a version that is not there yet.
const FUTURE_WAIT: Duration = Duration::from_secs(3);

/// One page of a list.
#[derive(Debug, Default)]
pub struct Listing {
    /// Selected objects in key order.
    pub entries: Vec<Arc<Entry>>,
    /// Version of the list.
    pub revision: u64,
    /// Token of the next page; empty at the end.
    pub continue_token: String,
    /// Objects after this page, where that is known.
    pub remaining: Option<usize>,
}

/// A watch that has been accepted.
pub struct Watching {
    /// Present objects to report as `ADDED` first.
    pub initial: Vec<Arc<Entry>>,
    /// Whether a marked bookmark follows them.
    pub marked: bool,
    /// Version of the initial objects.
    pub revision: u64,
    /// Changes after them; the failure to report where that is not possible.
    pub cursor: Result<Cursor, Box<Failure>>,
    /// Which changes are reported.
    pub selection: Selection,
}

impl Engine {
    /// Reads one object.
    pub fn get(&self, place: &Place) -> Answered<Arc<Entry>> {
        self.entry(place)
    }

    /// Reads one object as it was some versions ago, as far as that is remembered.
    pub(crate) fn get_stale(&self, place: &Place, versions: u64) -> Answered<Arc<Entry>> {
        if versions == 0 {
            return self.get(place);
        }
        let revision = self.store.revision().saturating_sub(versions);
        match self
            .store
            .list_at(&place.resource.table, &place.namespace, revision)
        {
            Ok(entries) => entries
                .into_iter()
                .find(|entry| entry.meta.name == place.name)
                .ok_or_else(|| Failure::not_found(place.named())),
            Err(_) => self.get(place),
        }
    }

    /// Makes a list that takes any version see an old one.
    pub(crate) fn age(&self, options: &mut ListOptions, versions: u64) {
        if versions > 0 && options.resource_version == "0" && options.version_match.is_empty() {
            let revision = self.store.revision().saturating_sub(versions);
            options.resource_version = revision.to_string();
            options.version_match = "Exact".into();
        }
    }

    /// Waits until the version that a read asks for exists, at most some seconds.
    pub async fn await_version(&self, options: &ListOptions) -> Answered<()> {
        let Some(wanted) = parse_version(&options.resource_version)? else {
            return Ok(());
        };
        if options.watch || wanted <= self.store.revision() {
            return Ok(());
        }
        let deadline = tokio::time::sleep(FUTURE_WAIT);
        tokio::pin!(deadline);
        let mut poll = tokio::time::interval(Duration::from_millis(50));
        loop {
            tokio::select! {
                () = &mut deadline => return Err(too_large(wanted, self.store.revision())),
                _ = poll.tick() => if wanted <= self.store.revision() { return Ok(()) },
            }
        }
    }

    /// Lists a collection.
    pub fn list(&self, place: &Place, options: &ListOptions) -> Answered<Listing> {
        let selection = Selection::parse(&place.resource, &options.labels, &options.fields)?;
        let version = parse_version(&options.resource_version)?;
        let (revision, after, entries) = if options.continue_token.is_empty() {
            let (revision, entries) = self.snapshot(place, options, version)?;
            (revision, String::new(), entries)
        } else {
            self.continued(place, options)?
        };
        let mut selected = entries
            .into_iter()
            .filter(|entry| after.is_empty() || entry_key(entry).as_str() > after.as_str())
            .filter(|entry| selection.matches(entry));
        // Any version will do: upstream answers from its cache, which knows no pages.
        let cached = options.resource_version == "0" && options.version_match != "Exact";
        if options.limit == 0 || cached {
            return Ok(Listing {
                entries: selected.collect(),
                revision,
                ..Listing::default()
            });
        }
        let entries: Vec<_> = selected.by_ref().take(options.limit).collect();
        let remaining = selected.count();
        let continue_token = match entries.last() {
            Some(last) if remaining > 0 => token(revision, &entry_key(last)),
            _ => String::new(),
        };
        Ok(Listing {
            entries,
            revision,
            continue_token,
            remaining: (remaining > 0 && selection.is_empty()).then_some(remaining),
        })
    }

    fn snapshot(
        &self,
        place: &Place,
        options: &ListOptions,
        version: Option<u64>,
    ) -> Answered<(u64, Vec<Arc<Entry>>)> {
        let resource = &place.resource;
        if let (Some(version), "Exact") = (version, options.version_match.as_str()) {
            let current = self.store.revision();
            if version > current {
                return Err(too_large(version, current));
            }
            let entries = self
                .store
                .list_at(&resource.table, &place.namespace, version)
                .map_err(|_| {
                    Failure::expired("The resourceVersion for the provided list is too old.")
                })?;
            return Ok((version, entries));
        }
        Ok(self.store.list(&resource.table, &place.namespace))
    }

    fn continued(
        &self,
        place: &Place,
        options: &ListOptions,
    ) -> Answered<(u64, String, Vec<Arc<Entry>>)> {
        let (revision, after) = parse_token(&options.continue_token)?;
        if !options.resource_version.is_empty() && options.resource_version != "0" {
            return Err(Failure::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let Some(revision) = revision else {
            let (revision, entries) = self.store.list(&place.resource.table, &place.namespace);
            return Ok((revision, after, entries));
        };
        let found = self
            .store
            .list_at(&place.resource.table, &place.namespace, revision);
        match found {
            Ok(entries) => Ok((revision, after, entries)),
            Err(_) => {
                let mut failure = Failure::expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
                );
                failure.status.continue_token = loose_token(&after);
                Err(failure)
            }
        }
    }

    /// Starts a watch.
    pub fn watch(&self, place: &Place, options: &ListOptions) -> Answered<Watching> {
        let resource = &place.resource;
        let selection = Selection::parse(resource, &options.labels, &options.fields)?;
        let version = parse_exact_version(&options.resource_version)?;
        let from_now = version.is_none_or(|version| version == 0);
        let initial = match options.initial_events {
            Some(wanted) => wanted,
            None => from_now,
        };
        let (revision, entries) = if initial || from_now {
            self.store.list(&resource.table, &place.namespace)
        } else {
            (version.unwrap_or(0), Vec::new())
        };
        // A bookmark names the newest version of this resource, not of the whole store.
        let newest = entries.iter().map(|entry| entry.revision).max();
        let mark = newest.unwrap_or(revision);
        let cursor = self
            .store
            .follow(&resource.table, revision)
            .map_err(|expired| {
                Failure::expired(format!(
                    "too old resource version: {revision} ({})",
                    expired.floor
                ))
            });
        let entries = if initial { entries } else { Vec::new() };
        Ok(Watching {
            initial: entries
                .into_iter()
                .filter(|entry| selection.matches(entry))
                .collect(),
            marked: options.initial_events == Some(true),
            revision: mark,
            cursor,
            selection,
        })
    }
}

fn entry_key(entry: &Entry) -> compact_str::CompactString {
    crate::store::key(&entry.meta.namespace, &entry.meta.name)
}

/// Parses a resource version; "" is none.
pub(crate) fn parse_version(text: &str) -> Answered<Option<u64>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Failure::bad_request(format!("invalid resource version: {}", no_version(text)))
    })
}

/// As [`parse_version`] for single objects and watches, where upstream reports an error of its own.
pub(crate) fn parse_exact_version(text: &str) -> Answered<Option<u64>> {
    parse_version(text).map_err(|_| Failure::internal(no_version(text)))
}

fn no_version(text: &str) -> String {
    format!(
        "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
    )
}

fn too_large(wanted: u64, current: u64) -> Box<Failure> {
    let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
    let mut failure = Failure::new(504, "Timeout", message);
    failure.status.retry_after_seconds = 1;
    failure.status.causes.push(cluster::StatusCause {
        reason: "ResourceVersionTooLarge".into(),
        message: "Too large resource version".into(),
        field: String::new(),
    });
    failure
}

fn token(revision: u64, after: &str) -> String {
    URL_SAFE_NO_PAD
        .encode(json!({"v": "meta.k8s.io/v1", "rv": revision, "start": after}).to_string())
}

fn loose_token(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": -1, "start": after}).to_string())
}

fn parse_token(text: &str) -> Answered<(Option<u64>, String)> {
    let refuse = |why: String| {
        Failure::bad_request(format!(
            "invalid continue token: continue key is not valid: {why}"
        ))
    };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            _ => text.len() / 4 * 4,
        };
        refuse(format!("illegal base64 data at input byte {at}"))
    })?;
    let value: objects::Value =
        serde_json::from_slice(&bytes).map_err(|error| refuse(go_syntax_error(&bytes, &error)))?;
    if value["v"] != "meta.k8s.io/v1" {
        let why = format!(
            "server does not recognize this encoded version {}",
            value["v"]
        );
        return Err(refuse(why));
    }
    let Some(start) = value["start"].as_str().filter(|start| !start.is_empty()) else {
        return Err(refuse(
            "encoded start key empty (version meta.k8s.io/v1)".into(),
        ));
    };
    Ok((value["rv"].as_u64(), start.to_owned()))
}
