//! Deletes: preconditions, finalizers, propagation, grace periods, collections.

use std::sync::Arc;

use cluster::Propagation;
use objects::{Map, Value};

use super::{
    Context, DeleteOptions, Engine, ListOptions, Listing, Place, Removed, Reply, metadata_mut,
};
use crate::failure::{Answered, Failure, Named};
use crate::kinds;
use crate::store::{Entry, Expect};

/// Finalizer of a foreground delete.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an orphaning delete.
pub const ORPHAN: &str = "orphan";

impl Engine {
    /// Deletes an object, or marks it for deletion.
    pub fn delete(
        &self,
        context: &Context,
        place: &Place,
        options: &DeleteOptions,
    ) -> Answered<Removed> {
        kinds::deletion::admit(place)?;
        loop {
            let entry = self.entry(place)?;
            check_preconditions(place, &entry, options)?;
            if let Some(removed) = self.try_delete(context, place, &entry, options)? {
                return Ok(removed);
            }
        }
    }

    fn try_delete(
        &self,
        context: &Context,
        place: &Place,
        entry: &Arc<Entry>,
        options: &DeleteOptions,
    ) -> Answered<Option<Removed>> {
        let live = self.decode_entry(&place.resource, entry);
        let request = crate::admission::Request {
            context,
            place,
            operation: crate::admission::Operation::Delete,
            live: Some(&live),
            dry_run: options.dry_run,
        };
        crate::admission::validate_delete(self, &request)?;
        let mut next = live.clone();
        let grace = kinds::deletion::grace_seconds(place, &live, options);
        let finalizers = wanted_finalizers(context, place, entry, options);
        let waits =
            !finalizers.is_empty() || grace > 0 || kinds::deletion::finalizes_itself(place, &live);
        if !waits && kinds::deletion::shows_object(place) && !options.dry_run {
            return self.show_and_remove(place, entry, next);
        }
        if !waits {
            return self.remove_now(place, entry, options);
        }
        mark(self, entry, &mut next, &finalizers, grace);
        if next == live {
            return Ok(Some(Removed::Marked(Reply::Stored(entry.clone()))));
        }
        kinds::deletion::mark(self, place, &mut next);
        if !entry.meta.deleting {
            bump_generation(&mut next);
        }
        if options.dry_run {
            return Ok(Some(Removed::Marked(Reply::Loose(Box::new(next)))));
        }
        let stored = self.commit(place, Expect::Revision(entry.revision), &next)?;
        Ok(stored.map(|entry| Removed::Marked(Reply::Stored(entry))))
    }

    /// Marks and removes an object in two steps; the answer shows its marked state.
    fn show_and_remove(
        &self,
        place: &Place,
        entry: &Arc<Entry>,
        mut next: Map,
    ) -> Answered<Option<Removed>> {
        mark(self, entry, &mut next, &[], 0);
        if !entry.meta.deleting {
            bump_generation(&mut next);
        }
        let Some(marked) = self.commit(place, Expect::Revision(entry.revision), &next)? else {
            return Ok(None);
        };
        self.commit_removal(place, marked.revision)?;
        Ok(Some(Removed::Marked(Reply::Stored(marked))))
    }

    fn remove_now(
        &self,
        place: &Place,
        entry: &Arc<Entry>,
        options: &DeleteOptions,
    ) -> Answered<Option<Removed>> {
        let uid = entry.meta.uid.to_string();
        if options.dry_run {
            let last = entry.clone();
            return Ok(Some(Removed::Gone { uid, last }));
        }
        let gone = self.commit_removal(place, entry.revision)?;
        Ok(gone.map(|last| Removed::Gone { uid, last }))
    }

    /// Deletes every selected object of a collection; returns what was deleted, in key order.
    pub fn delete_collection(
        &self,
        context: &Context,
        place: &Place,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Answered<(Vec<Reply>, Listing)> {
        let listing = self.list(place, list)?;
        let mut removed = Vec::new();
        for entry in &listing.entries {
            let place = Place::new(&place.resource, &entry.meta.namespace, &entry.meta.name);
            match self.delete(context, &place, options) {
                Ok(Removed::Gone { .. }) => removed.push(Reply::Stored(entry.clone())),
                Ok(Removed::Marked(reply)) => removed.push(reply),
                Err(failure) if failure.status.code == 404 => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok((removed, listing))
    }
}

impl Engine {
    /// Refuses a delete whose preconditions do not hold.
    pub(crate) fn check_delete(&self, place: &Place, options: &DeleteOptions) -> Answered<()> {
        let entry = self.entry(place)?;
        check_preconditions(place, &entry, options)
    }
}

fn check_preconditions(place: &Place, entry: &Entry, options: &DeleteOptions) -> Answered<()> {
    let named = Named {
        kind: place.resource.kind(),
        ..place.named()
    };
    if !options.uid.is_empty() && options.uid != entry.meta.uid {
        let why = format!(
            "the UID in the precondition ({}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            options.uid, entry.meta.uid
        );
        return Err(Failure::conflict(named, &why));
    }
    let current = entry.revision.to_string();
    if !options.resource_version.is_empty() && options.resource_version != current {
        let why = format!(
            "the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({current}). The object might have been modified",
            options.resource_version
        );
        return Err(Failure::conflict(named, &why));
    }
    Ok(())
}

/// Returns the finalizers an object has after a delete with these options.
fn wanted_finalizers(
    context: &Context,
    place: &Place,
    entry: &Entry,
    options: &DeleteOptions,
) -> Vec<String> {
    let mut finalizers: Vec<String> = entry
        .meta
        .finalizers
        .iter()
        .map(ToString::to_string)
        .collect();
    let propagation = match options.propagation {
        Propagation::Default if !finalizers.iter().any(|f| f == FOREGROUND || f == ORPHAN) => {
            kinds::deletion::default_propagation(context, place)
        }
        other => other,
    };
    match propagation {
        Propagation::Default => {}
        Propagation::Background => finalizers.retain(|f| f != FOREGROUND && f != ORPHAN),
        Propagation::Foreground => {
            finalizers.retain(|f| f != ORPHAN);
            if !finalizers.iter().any(|f| f == FOREGROUND) {
                finalizers.push(FOREGROUND.to_owned());
            }
        }
        Propagation::Orphan => {
            finalizers.retain(|f| f != FOREGROUND);
            if !finalizers.iter().any(|f| f == ORPHAN) {
                finalizers.push(ORPHAN.to_owned());
            }
        }
    }
    finalizers
}

fn mark(engine: &Engine, entry: &Entry, next: &mut Map, finalizers: &[String], grace: i64) {
    let now = engine.environment.clock.now();
    let due = now
        .checked_add(jiff::SignedDuration::from_secs(grace))
        .unwrap_or(now);
    let metadata = metadata_mut(next);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), finalizers.into());
    }
    let present = metadata
        .get("deletionGracePeriodSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(i64::MAX);
    if !entry.meta.deleting || grace < present {
        let due = crate::environment::format_seconds(due);
        metadata.insert("deletionTimestamp".into(), due.into());
        metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
    }
}

fn bump_generation(next: &mut Map) {
    let metadata = metadata_mut(next);
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64)
        && generation > 0
    {
        metadata.insert("generation".into(), (generation + 1).into());
    }
}
