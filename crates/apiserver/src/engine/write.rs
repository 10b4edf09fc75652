//! Create and update: everything between a decoded object and the store.

use std::sync::Arc;

use cluster::StatusCause;
use objects::{Map, Value};

use super::decode::{Wanted, check_kind};
use super::identity::{
    check_name, check_namespace, check_version, deletable, late_finalizers, restore_identity,
    wipe_system_fields,
};
use super::{
    Body, Context, Engine, Place, Reply, WriteOptions, Written, metadata_mut, metadata_text,
};
use crate::admission;
use crate::catalog::Resource;
use crate::failure::{Answered, Failure, Named, field};
use crate::kinds;
use crate::kinds::form::{self, Source};
use crate::store::{Entry, Expect};

/// Tries of an update that has no precondition of its own.
const UPDATE_TRIES: usize = 8;
/// Tries of a generated name.
const NAME_TRIES: usize = 8;
/// Characters of a generated name before its suffix.
const GENERATED_BASE_MAX: usize = 58;

impl Engine {
    /// Creates an object.
    ///
    /// # Errors
    /// Fails where the body is no object of the kind, is refused, or its name is taken.
    pub fn create(
        &self,
        context: &Context,
        place: &Place,
        body: &Body,
        options: &WriteOptions,
    ) -> Answered<Written> {
        self.write(context, place, options).create(body)
    }

    /// Replaces an object or one of its subresources.
    ///
    /// # Errors
    /// As [`Engine::create`], and where the object changed since the version that the body names.
    pub fn update(
        &self,
        context: &Context,
        place: &Place,
        body: &Body,
        options: &WriteOptions,
    ) -> Answered<Written> {
        self.write(context, place, options).update(body)
    }

    /// As [`Write::replace`], with the options of none.
    pub(crate) fn replace(
        &self,
        context: &Context,
        place: &Place,
        make: &dyn Fn(&Map, &Arc<Entry>) -> Answered<Map>,
    ) -> Answered<Written> {
        let options = WriteOptions::default();
        self.write(context, place, &options).replace(make)
    }

    /// Begins a write.
    pub(crate) fn write<'a>(
        &'a self,
        context: &'a Context,
        place: &'a Place,
        options: &'a WriteOptions,
    ) -> Write<'a> {
        Write {
            engine: self,
            context,
            place,
            options,
        }
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
        failure.status.causes.push(StatusCause {
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
        causes: Vec<StatusCause>,
    ) -> Box<Failure> {
        let named = Named {
            group: resource.group(),
            kind: resource.kind(),
            name: metadata_text(object, "name"),
        };
        Failure::invalid(named, causes)
    }
}

/// A write on its way: what every step of it has to know.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    /// Where it happens.
    pub engine: &'a Engine,
    /// Who sends it.
    pub context: &'a Context,
    /// What it is about.
    pub place: &'a Place,
    /// How it is meant.
    pub options: &'a WriteOptions,
}

impl Write<'_> {
    /// Returns the name under which the written fields are owned.
    pub fn manager(&self) -> &str {
        self.options.manager(self.context)
    }

    pub(super) fn create(&self, body: &Body) -> Answered<Written> {
        let resource = &self.place.resource;
        let mut object = self.read(resource, body)?;
        check_namespace(self.place, &mut object)?;
        if let Some(reply) = crate::auth::review::create(self, &mut object)? {
            return Ok(created(reply));
        }
        if !metadata_text(&object, "resourceVersion").is_empty() {
            return Err(Failure::internal(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        wipe_system_fields(&mut object);
        kinds::default(resource, &mut object);
        crate::fields::recorded(self, None, &mut object);
        self.insert(object)
    }

    /// Reads a body of a kind, which need not be that of the place.
    pub(super) fn read(&self, resource: &Resource, body: &Body) -> Answered<Map> {
        let object = body.decode(Wanted::of(resource))?;
        self.shaped(resource, body, object)
    }

    /// Brings a decoded body into the form of its kind.
    pub fn shaped(&self, resource: &Resource, body: &Body, mut object: Map) -> Answered<Map> {
        check_kind(resource, Wanted::of(resource), &object)?;
        let repeated = body.duplicates();
        form::shape(self, resource, &mut object, &repeated, Source::Body)?;
        Ok(object)
    }

    pub(super) fn update(&self, body: &Body) -> Answered<Written> {
        let place = self.place;
        let resource = &place.resource;
        if place.sub == "scale" {
            return kinds::scale::update(self, body);
        }
        let mut object = self.read(resource, body)?;
        check_name(place, &object)?;
        check_namespace(place, &mut object)?;
        let stored = self.engine.store.get(&resource.table, &place.key());
        if stored.is_none() {
            return self.create_on_update(object);
        }
        let version = metadata_text(&object, "resourceVersion");
        if version.is_empty() && kinds::rules::needs_version(resource) {
            return Err(without_version(place));
        }
        kinds::default(resource, &mut object);
        self.replace(&|_, _| Ok(object.clone()))
    }

    fn create_on_update(&self, mut object: Map) -> Answered<Written> {
        let resource = &self.place.resource;
        if !self.place.sub.is_empty() || !kinds::rules::creates_on_update(resource) {
            return Err(Failure::not_found(self.place.named()));
        }
        metadata_mut(&mut object).remove("resourceVersion");
        kinds::default(resource, &mut object);
        crate::fields::recorded(self, None, &mut object);
        self.insert(object)
    }

    /// Finishes and stores a decoded, defaulted new object whose field ownership is recorded.
    pub(super) fn insert(&self, object: Map) -> Answered<Written> {
        let mut taken = String::new();
        for _ in 0..NAME_TRIES {
            let mut object = object.clone();
            let generated = self.identify(&mut object);
            let mut place = self.place.clone();
            place.name = metadata_text(&object, "name").to_owned();
            let named = Write {
                place: &place,
                ..*self
            };
            if let Some(reply) = named.store_new(&mut object)? {
                return Ok(created(reply));
            }
            if generated {
                taken = place.name;
            } else if !metadata_text(&object, "generateName").is_empty() {
                return Err(Failure::no_unique_name(place.named()));
            } else {
                return Err(Failure::already_exists(place.named()));
            }
        }
        let named = Named {
            name: &taken,
            ..self.place.named()
        };
        Err(Failure::no_unique_name(named))
    }

    /// Admits and stores a new object with its name; `None` where the name is taken.
    fn store_new(&self, object: &mut Map) -> Answered<Option<Reply>> {
        let (engine, place) = (self.engine, self.place);
        let resource = &place.resource;
        engine.admit_namespace(place)?;
        self.admit(object, None)?;
        if resource.is("batch", "jobs") {
            crate::defaults::label_job(object);
        }
        admission::validate(engine, &self.request(None), object)?;
        if self.options.dry_run {
            if engine.store.get(&resource.table, &place.key()).is_some() {
                return Err(Failure::already_exists(place.named()));
            }
            return Ok(Some(Reply::Loose(Box::new(object.clone()))));
        }
        let stored = engine.commit(place, Expect::Absent, object)?;
        match &stored {
            Some(_) => kinds::created(engine, place),
            // What quotas were charged for is not there.
            None => engine.quotas.touch(&engine.store, &place.namespace),
        }
        Ok(stored.map(Reply::Stored))
    }

    /// Gives a new object what only the server may say; tells whether its name was generated.
    fn identify(&self, object: &mut Map) -> bool {
        let uid = self.engine.environment.uuid();
        let now = self.engine.environment.timestamp();
        wipe_system_fields(object);
        let metadata = metadata_mut(object);
        metadata.insert("uid".into(), uid.into());
        metadata.insert("creationTimestamp".into(), now.into());
        if !self.place.name.is_empty() {
            metadata.insert("name".into(), self.place.name.clone().into());
        }
        if !self.place.namespace.is_empty() {
            metadata.insert("namespace".into(), self.place.namespace.clone().into());
        }
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or("");
        if !text("name").is_empty() || text("generateName").is_empty() {
            return false;
        }
        let base: String = text("generateName")
            .chars()
            .take(GENERATED_BASE_MAX)
            .collect();
        let name = base + &self.engine.environment.suffix();
        metadata.insert("name".into(), name.into());
        true
    }

    /// Makes an object's next state from its present one and stores it; tries again when it lost a race.
    ///
    /// `make` sees the live object (in the resource's version) and its entry, and returns the wanted object,
    /// defaulted, its field ownership not recorded yet.
    pub fn replace(&self, make: &dyn Fn(&Map, &Arc<Entry>) -> Answered<Map>) -> Answered<Written> {
        self.transform(&|live, entry| {
            let mut next = make(live, entry)?;
            restore_identity(self.engine, self.place, live, &mut next)?;
            // Ownership is recorded for what the request may change on this endpoint.
            kinds::prepare_update(self.place, live, &mut next);
            crate::fields::recorded(self, Some(live), &mut next);
            Ok(next)
        })
    }

    /// As [`Write::replace`], for states that carry their field ownership already.
    pub fn transform(
        &self,
        make: &dyn Fn(&Map, &Arc<Entry>) -> Answered<Map>,
    ) -> Answered<Written> {
        for _ in 0..UPDATE_TRIES {
            let entry = self.engine.entry(self.place)?;
            let live = self.engine.decode_entry(&self.place.resource, &entry);
            let mut next = make(&live, &entry)?;
            check_version(self.place, &entry, &mut next)?;
            if let Some(reply) = self.store_changed(&entry, &live, next)? {
                return Ok(updated(reply));
            }
        }
        Err(Failure::modified(self.place.named()))
    }

    /// Admits and stores an object's next state; `None` where it changed meanwhile.
    fn store_changed(
        &self,
        entry: &Arc<Entry>,
        live: &Map,
        mut next: Map,
    ) -> Answered<Option<Reply>> {
        let (engine, place) = (self.engine, self.place);
        restore_identity(engine, place, live, &mut next)?;
        self.admit(&mut next, Some(live))?;
        admission::validate(engine, &self.request(Some(live)), &next)?;
        if crate::fields::equal_but_times(live, &next) {
            return Ok(Some(Reply::Stored(entry.clone())));
        }
        if self.options.dry_run {
            return Ok(Some(Reply::Loose(Box::new(next))));
        }
        if deletable(&next) {
            // The last finalizer went: the object goes with it; the answer shows its last state.
            let gone = engine.commit_removal(place, entry.revision)?;
            return Ok(gone.map(|_| Reply::Loose(Box::new(next))));
        }
        let stored = engine.commit(place, Expect::Revision(entry.revision), &next)?;
        Ok(stored.map(Reply::Stored))
    }

    /// Lets the rules of the cluster and of the kind change an object, and refuses what is wrong with it then.
    fn admit(&self, object: &mut Map, live: Option<&Map>) -> Answered<()> {
        let (engine, place) = (self.engine, self.place);
        crate::auth::escalation::check(engine, self.context, place, object)?;
        kinds::admit(engine, place, object, live)?;
        admission::mutate(engine, &self.request(live), object)?;
        let causes = match live {
            Some(live) => {
                kinds::set_generation(place, live, object);
                let causes = kinds::validate_update(engine, place, object, live);
                let mut causes = self.tell_ratcheted(causes);
                causes.extend(late_finalizers(live, object));
                causes
            }
            None => {
                kinds::prepare_create(engine, &place.resource, object);
                kinds::validate(engine, &place.resource, object, None)
            }
        };
        if !causes.is_empty() {
            return Err(engine.invalid(&place.resource, object, causes));
        }
        self.warn(object, live);
        Ok(())
    }

    /// Warns of what was wrong before the update too, and returns the rest.
    fn tell_ratcheted(&self, causes: Vec<StatusCause>) -> Vec<StatusCause> {
        let ratcheted = |cause: &StatusCause| cause.reason == crate::crd::cel::RATCHETED;
        let (kept, causes): (Vec<_>, Vec<_>) = causes.into_iter().partition(ratcheted);
        for cause in kept {
            self.context
                .warn(format!("{}: {}", cause.field, cause.message));
        }
        causes
    }

    fn warn(&self, object: &Map, live: Option<&Map>) {
        let resource = &self.place.resource;
        if resource.custom.is_some() && live.is_none() {
            kinds::warnings::finalizers(self.context, object);
        }
        if resource.custom.is_none() && (live.is_none() || self.place.sub.is_empty()) {
            kinds::warnings::warn(self.context, resource, object, live);
        }
    }

    fn request<'b>(&'b self, live: Option<&'b Map>) -> admission::Request<'b> {
        admission::Request {
            context: self.context,
            place: self.place,
            operation: match live {
                Some(_) => admission::Operation::Update,
                None => admission::Operation::Create,
            },
            live,
            dry_run: self.options.dry_run,
        }
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

/// Some kinds are not replaced blindly.
fn without_version(place: &Place) -> Box<Failure> {
    let field = "metadata.resourceVersion";
    let cause = field::invalid(field, &Value::from(0), "must be specified for an update");
    let named = Named {
        kind: place.resource.plural(),
        ..place.named()
    };
    Failure::invalid(named, vec![cause])
}
