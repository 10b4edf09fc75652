//! Create and update: everything between a decoded object and the store.

use std::sync::Arc;

use objects::{Map, Value};

use super::decode::{Wanted, check_kind};
use super::{
    Body, Context, Engine, Place, Reply, WriteOptions, Written, metadata_mut, metadata_text,
};
use crate::admission;
use crate::catalog::Resource;
use crate::failure::{Answered, Failure, Named, field};
use crate::kinds;
use crate::kinds::form::{self, Source};
use crate::store::{self, Entry, Expect};

/// Tries of an update that has no precondition of its own.
const UPDATE_TRIES: usize = 8;
/// Tries of a generated name.
const NAME_TRIES: usize = 8;
/// Characters of a generated name before its suffix.
const GENERATED_BASE_MAX: usize = 58;

impl Engine {
    /// Creates an object.
    pub fn create(
        &self,
        context: &Context,
        place: &Place,
        body: &Body,
        options: &WriteOptions,
    ) -> Answered<Written> {
        let resource = &place.resource;
        let wanted = Wanted {
            api_version: &resource.api_version,
            kind: resource.kind(),
            custom: resource.custom.is_some(),
        };
        let mut object = body.decode(wanted)?;
        check_kind(resource, wanted, &object)?;
        let duplicates = body.duplicates();
        form::shape(
            context,
            resource,
            &mut object,
            options,
            &duplicates,
            Source::Body,
        )?;
        check_namespace(place, &mut object)?;
        if let Some(reply) =
            crate::auth::review::create(self, context, place, &mut object, options)?
        {
            return Ok(Written {
                reply,
                created: true,
            });
        }
        if !metadata_text(&object, "resourceVersion").is_empty() {
            return Err(Failure::internal(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        wipe_system_fields(&mut object);
        kinds::default(resource, &mut object);
        crate::fields::recorded(
            self,
            resource,
            None,
            &mut object,
            options.manager(context),
            "",
        );
        self.insert(context, place, object, options)
    }

    /// Finishes and stores a decoded, defaulted new object whose field ownership is recorded.
    pub(super) fn insert(
        &self,
        context: &Context,
        place: &Place,
        object: Map,
        options: &WriteOptions,
    ) -> Answered<Written> {
        let resource = &place.resource;
        let mut taken = String::new();
        for _ in 0..NAME_TRIES {
            let mut object = object.clone();
            let generated = self.identify(place, &mut object);
            let mut place = place.clone();
            place.name = metadata_text(&object, "name").to_owned();
            self.admit_namespace(&place)?;
            crate::auth::escalation::check(self, context, &place, &object)?;
            kinds::admit(self, &place, &mut object, None)?;
            let request = admission::Request {
                context,
                place: &place,
                operation: admission::Operation::Create,
                live: None,
                dry_run: options.dry_run,
            };
            admission::mutate(self, &request, &mut object)?;
            kinds::prepare_create(self, resource, &mut object);
            let causes = kinds::validate(self, resource, &object, None);
            if !causes.is_empty() {
                return Err(self.invalid(resource, &object, causes));
            }
            if resource.custom.is_none() {
                kinds::warnings::warn(context, resource, &object, None);
            }
            if resource.custom.is_some() {
                kinds::warnings::finalizers(context, &object);
            }
            if resource.is("batch", "jobs") {
                crate::defaults::label_job(&mut object);
            }
            admission::validate(self, &request, &object)?;
            if options.dry_run {
                if self.store.get(&resource.table, &place.key()).is_some() {
                    return Err(Failure::already_exists(place.named()));
                }
                return Ok(created(Reply::Loose(Box::new(object))));
            }
            let stored = self.commit(&place, Expect::Absent, &object)?;
            if stored.is_none() {
                // What quotas were charged for is not there.
                self.quotas.touch(&self.store, &place.namespace);
            }
            match stored {
                Some(entry) => {
                    kinds::created(self, &place);
                    return Ok(created(Reply::Stored(entry)));
                }
                None if generated => taken = place.name,
                None if !metadata_text(&object, "generateName").is_empty() => {
                    return Err(Failure::no_unique_name(place.named()));
                }
                None => return Err(Failure::already_exists(place.named())),
            }
        }
        let named = Named {
            name: &taken,
            ..place.named()
        };
        Err(Failure::no_unique_name(named))
    }

    /// Gives a new object what only the server may say; tells whether its name was generated.
    fn identify(&self, place: &Place, object: &mut Map) -> bool {
        let uid = self.environment.uuid();
        let now = self.environment.timestamp();
        wipe_system_fields(object);
        let metadata = metadata_mut(object);
        metadata.insert("uid".into(), uid.into());
        metadata.insert("creationTimestamp".into(), now.into());
        if !place.name.is_empty() {
            metadata.insert("name".into(), place.name.clone().into());
        }
        if !place.namespace.is_empty() {
            metadata.insert("namespace".into(), place.namespace.clone().into());
        }
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or("");
        if !text("name").is_empty() || text("generateName").is_empty() {
            return false;
        }
        let base: String = text("generateName")
            .chars()
            .take(GENERATED_BASE_MAX)
            .collect();
        let name = base + &self.environment.suffix();
        metadata.insert("name".into(), name.into());
        true
    }

    /// Replaces an object or one of its subresources.
    pub fn update(
        &self,
        context: &Context,
        place: &Place,
        body: &Body,
        options: &WriteOptions,
    ) -> Answered<Written> {
        if place.sub == "scale" {
            return kinds::scale::update(self, context, place, body, options);
        }
        let resource = &place.resource;
        let wanted = Wanted {
            api_version: &resource.api_version,
            kind: resource.kind(),
            custom: resource.custom.is_some(),
        };
        let mut object = body.decode(wanted)?;
        check_kind(resource, wanted, &object)?;
        let duplicates = body.duplicates();
        form::shape(
            context,
            resource,
            &mut object,
            options,
            &duplicates,
            Source::Body,
        )?;
        check_name(place, &object)?;
        check_namespace(place, &mut object)?;
        if self.store.get(&resource.table, &place.key()).is_none() {
            return self.create_on_update(context, place, object, options);
        }
        let version = metadata_text(&object, "resourceVersion");
        if version.is_empty() && kinds::rules::needs_version(resource) {
            let cause = field::invalid(
                "metadata.resourceVersion",
                &Value::from(0),
                "must be specified for an update",
            );
            let named = Named {
                kind: resource.plural(),
                ..place.named()
            };
            return Err(Failure::invalid(named, vec![cause]));
        }
        kinds::default(resource, &mut object);
        self.replace(context, place, options, &|_, _| Ok(object.clone()))
    }

    fn create_on_update(
        &self,
        context: &Context,
        place: &Place,
        mut object: Map,
        options: &WriteOptions,
    ) -> Answered<Written> {
        let resource = &place.resource;
        if !place.sub.is_empty() || !kinds::rules::creates_on_update(resource) {
            return Err(Failure::not_found(place.named()));
        }
        metadata_mut(&mut object).remove("resourceVersion");
        kinds::default(resource, &mut object);
        crate::fields::recorded(
            self,
            resource,
            None,
            &mut object,
            options.manager(context),
            "",
        );
        self.insert(context, place, object, options)
    }

    /// Makes an object's next state from its present one and stores it; tries again when it lost a race.
    ///
    /// `make` sees the live object (in the resource's version) and its entry, and returns the wanted object,
    /// defaulted, its field ownership not recorded yet.
    pub(crate) fn replace(
        &self,
        context: &Context,
        place: &Place,
        options: &WriteOptions,
        make: &dyn Fn(&Map, &Arc<Entry>) -> Answered<Map>,
    ) -> Answered<Written> {
        self.transform(context, place, options, &|live, entry| {
            let mut next = make(live, entry)?;
            restore_identity(self, place, live, &mut next)?;
            // Ownership is recorded for what the request may change on this endpoint.
            kinds::prepare_update(place, live, &mut next);
            crate::fields::recorded(
                self,
                &place.resource,
                Some(live),
                &mut next,
                options.manager(context),
                &place.sub,
            );
            Ok(next)
        })
    }

    /// As [`Engine::replace`], for states that carry their field ownership already.
    pub(crate) fn transform(
        &self,
        context: &Context,
        place: &Place,
        options: &WriteOptions,
        make: &dyn Fn(&Map, &Arc<Entry>) -> Answered<Map>,
    ) -> Answered<Written> {
        for _ in 0..UPDATE_TRIES {
            let entry = self.entry(place)?;
            let live = self.decode_entry(&place.resource, &entry);
            let mut next = make(&live, &entry)?;
            check_version(place, &entry, &mut next)?;
            if let Some(written) =
                self.finish_update(context, place, &entry, &live, next, options)?
            {
                return Ok(written);
            }
        }
        Err(Failure::modified(place.named()))
    }

    fn finish_update(
        &self,
        context: &Context,
        place: &Place,
        entry: &Arc<Entry>,
        live: &Map,
        mut next: Map,
        options: &WriteOptions,
    ) -> Answered<Option<Written>> {
        let resource = &place.resource;
        restore_identity(self, place, live, &mut next)?;
        crate::auth::escalation::check(self, context, place, &next)?;
        kinds::admit(self, place, &mut next, Some(live))?;
        let request = admission::Request {
            context,
            place,
            operation: admission::Operation::Update,
            live: Some(live),
            dry_run: options.dry_run,
        };
        admission::mutate(self, &request, &mut next)?;
        kinds::set_generation(place, live, &mut next);
        let causes = kinds::validate_update(self, place, &next, live);
        let ratcheted = |cause: &cluster::StatusCause| cause.reason == crate::crd::cel::RATCHETED;
        let (kept, mut causes): (Vec<_>, Vec<_>) = causes.into_iter().partition(ratcheted);
        for cause in kept {
            context.warn(format!("{}: {}", cause.field, cause.message));
        }
        causes.extend(late_finalizers(live, &next));
        if !causes.is_empty() {
            return Err(self.invalid(resource, &next, causes));
        }
        if resource.custom.is_none() && place.sub.is_empty() {
            kinds::warnings::warn(context, resource, &next, Some(live));
        }
        admission::validate(self, &request, &next)?;
        if unchanged(live, &next) {
            return Ok(Some(updated(Reply::Stored(entry.clone()))));
        }
        if options.dry_run {
            return Ok(Some(updated(Reply::Loose(Box::new(next)))));
        }
        if deletable(&next) {
            // The last finalizer went: the object goes with it; the answer shows its last state.
            let reply = Reply::Loose(Box::new(next.clone()));
            let gone = self.commit_removal(place, entry.revision)?;
            return Ok(gone.map(|_| updated(reply)));
        }
        let stored = self.commit(place, Expect::Revision(entry.revision), &next)?;
        Ok(stored.map(|entry| updated(Reply::Stored(entry))))
    }

    /// Refuses objects in namespaces that are absent or going.
    pub(crate) fn admit_namespace(&self, place: &Place) -> Answered<()> {
        if place.namespace.is_empty() {
            return Ok(());
        }
        let Some(namespace) = self.store.get("/namespaces", &place.namespace) else {
            return Err(Failure::not_found(Named {
                group: "",
                kind: "namespaces",
                name: &place.namespace,
            }));
        };
        if !namespace.meta.deleting {
            return Ok(());
        }
        let why = format!(
            "unable to create new content in namespace {} because it is being terminated",
            place.namespace
        );
        let mut failure = Failure::forbidden(place.named(), &why);
        failure.status.causes.push(cluster::StatusCause {
            reason: "NamespaceTerminating".into(),
            message: format!("namespace {} is being terminated", place.namespace),
            field: "metadata.namespace".into(),
        });
        Err(failure)
    }

    pub(crate) fn invalid(
        &self,
        resource: &Resource,
        object: &Map,
        causes: Vec<cluster::StatusCause>,
    ) -> Box<Failure> {
        let named = Named {
            group: resource.group(),
            kind: resource.kind(),
            name: metadata_text(object, "name"),
        };
        Failure::invalid(named, causes)
    }
}

fn created(reply: Reply) -> Written {
    Written {
        reply,
        created: true,
    }
}

fn updated(reply: Reply) -> Written {
    Written {
        reply,
        created: false,
    }
}

/// Forgets what a client cannot say about a new object.
fn wipe_system_fields(object: &mut Map) {
    let metadata = metadata_mut(object);
    for key in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        metadata.remove(key);
    }
}

/// Tells whether nothing keeps an object that is marked for deletion.
fn deletable(object: &Map) -> bool {
    let Some(metadata) = object.get("metadata") else {
        return false;
    };
    let list_empty =
        |value: Option<&Value>| value.is_none_or(|list| list.as_array().is_none_or(Vec::is_empty));
    let is_namespace = object.get("kind").and_then(Value::as_str) == Some("Namespace")
        && object.get("apiVersion").and_then(Value::as_str) == Some("v1");
    let finalized =
        !is_namespace || list_empty(object.get("spec").and_then(|spec| spec.get("finalizers")));
    let waiting = metadata
        .get("deletionGracePeriodSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(0)
        > 0;
    metadata.get("deletionTimestamp").is_some()
        && list_empty(metadata.get("finalizers"))
        && finalized
        && !waiting
}

/// Refuses finalizers that come after the delete.
fn late_finalizers(live: &Map, next: &Map) -> Vec<cluster::StatusCause> {
    let list = |object: &Map| -> Vec<String> {
        let list = object.get("metadata").and_then(|m| m.get("finalizers"));
        let list = list.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let deleting = live
        .get("metadata")
        .is_some_and(|m| m.get("deletionTimestamp").is_some());
    let before = list(live);
    let new: Vec<String> = list(next)
        .into_iter()
        .filter(|finalizer| !before.contains(finalizer))
        .map(|finalizer| Value::from(finalizer).to_string())
        .collect();
    if !deleting || new.is_empty() {
        return Vec::new();
    }
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        new.join(", ")
    );
    twice(field::forbidden("metadata.finalizers", &why)).to_vec()
}

/// Tells whether an update changes nothing.
fn unchanged(live: &Map, next: &Map) -> bool {
    crate::fields::equal_but_times(live, next)
}

/// Refuses a stale precondition and takes the version out of the object's way.
fn check_version(place: &Place, entry: &Entry, next: &mut Map) -> Answered<()> {
    let current = entry.revision.to_string();
    let given = metadata_text(next, "resourceVersion").to_owned();
    if !given.is_empty() && given.parse::<u64>().is_err() {
        return Err(Failure::internal(format!(
            "strconv.ParseUint: parsing {}: invalid syntax",
            gocompat::quote::quote(given.as_bytes())
        )));
    }
    if !given.is_empty() && given != "0" && given != current {
        return Err(Failure::modified(place.named()));
    }
    metadata_mut(next).insert("resourceVersion".into(), current.into());
    Ok(())
}

/// Puts back what an update cannot change, and refuses another uid.
fn restore_identity(engine: &Engine, place: &Place, live: &Map, next: &mut Map) -> Answered<()> {
    let uid = metadata_text(next, "uid");
    let live_uid = metadata_text(live, "uid");
    if !uid.is_empty() && uid != live_uid {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {live_uid}",
            place.resource.plural(),
            store::key(&place.namespace, &place.name)
        );
        return Err(Failure::conflict(place.named(), &why));
    }
    let live_metadata = live.get("metadata").and_then(Value::as_object);
    let metadata = metadata_mut(next);
    metadata.remove("selfLink");
    let Some(live_metadata) = live_metadata else {
        return Ok(());
    };
    for key in ["uid", "name", "namespace", "generateName"] {
        if metadata.get(key).is_none_or(Value::is_null) {
            copy(live_metadata, metadata, key);
        }
    }
    copy(live_metadata, metadata, "creationTimestamp");
    let mut causes = Vec::new();
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        let given = metadata.get(key).filter(|value| !value.is_null());
        let settled = key == "deletionTimestamp" && live_metadata.contains_key(key);
        if let Some(given) = given
            && Some(given) != live_metadata.get(key)
            && !settled
        {
            // Upstream checks these twice.
            let path = format!("metadata.{key}");
            causes.extend(twice(field::invalid(&path, given, "field is immutable")));
        }
        copy(live_metadata, metadata, key);
    }
    copy(live_metadata, metadata, "generation");
    if causes.is_empty() {
        Ok(())
    } else {
        Err(engine.invalid(&place.resource, live, causes))
    }
}

/// Repeats a cause, as upstream's generic and common checks both report it.
pub(super) fn twice(cause: cluster::StatusCause) -> [cluster::StatusCause; 2] {
    [cause.clone(), cause]
}

fn copy(from: &Map, to: &mut Map, key: &str) {
    match from.get(key) {
        Some(value) => to.insert(key.to_owned(), value.clone()),
        None => to.remove(key),
    };
}

/// Refuses a body whose namespace is not the URL's, and fills it in.
pub(crate) fn check_namespace(place: &Place, object: &mut Map) -> Answered<()> {
    let given = metadata_text(object, "namespace").to_owned();
    if !place.resource.api.namespaced {
        if given.is_empty() {
            return Ok(());
        }
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !given.is_empty() && given != place.namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    metadata_mut(object).insert("namespace".into(), place.namespace.clone().into());
    Ok(())
}

/// Refuses a body whose name is not the URL's.
pub(super) fn check_name(place: &Place, object: &Map) -> Answered<()> {
    let given = metadata_text(object, "name");
    if given.is_empty() {
        return Err(Failure::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            place.name
        )));
    }
    if given != place.name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({})",
            place.name
        )));
    }
    Ok(())
}
