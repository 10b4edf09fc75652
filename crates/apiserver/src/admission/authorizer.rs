//! `authorizer` of expressions: asks what the sender of a request, or a service account, may do.
//!
//! A chain such as `authorizer.group('apps').resource('deployments').check('get').allowed()` collects what is asked for in one
//! value and ends in a decision. Reasons are empty: roles are compiled without the names of what binds them.

use std::fmt;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::{Key, Map as CelMap, Opaque};
use cel::{Context, ExecutionError, Value as CelValue};

use crate::auth::Attributes;
use crate::auth::rbac::Grants;
use crate::engine::{Engine, Place, User};

/// Name of the variable.
pub const NAME: &str = "authorizer";

/// Key of the value itself beside its `requestResource`.
const OWN: &str = "@own";

/// What is asked for so far, and about whom.
#[derive(Clone)]
struct Question {
    grants: Arc<Grants>,
    user: User,
    group: String,
    resource: String,
    sub: String,
    namespace: String,
    name: String,
    path: String,
    /// Set by the check that ends the chain.
    allowed: bool,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "authorizer of {}", self.user.name)
    }
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        let parts = |question: &Self| {
            [
                &question.user.name,
                &question.group,
                &question.resource,
                &question.sub,
                &question.namespace,
                &question.name,
                &question.path,
            ]
            .map(Clone::clone)
        };
        parts(self) == parts(other) && self.allowed == other.allowed
    }
}

impl Eq for Question {}

impl Opaque for Question {
    fn runtime_type_name(&self) -> &'static str {
        "kubernetes.authorization.Authorizer"
    }
}

impl Question {
    fn wrapped(self) -> CelValue {
        CelValue::Opaque(Arc::new(self))
    }

    fn check(mut self, verb: &str) -> Self {
        self.allowed = self.grants.allows(
            &self.user,
            &Attributes {
                verb,
                group: &self.group,
                resource: &self.resource,
                sub: &self.sub,
                namespace: &self.namespace,
                name: &self.name,
                path: &self.path,
            },
        );
        self
    }
}

/// Reads the question that a method is called on.
fn question(value: &CelValue) -> Result<Question, ExecutionError> {
    let own = match value {
        CelValue::Map(map) => map.map.get(&Key::String(Arc::new(OWN.to_owned()))),
        other => Some(other),
    };
    match own {
        Some(CelValue::Opaque(value)) => value
            .downcast_ref::<Question>()
            .cloned()
            .ok_or(ExecutionError::NoSuchOverload),
        _ => Err(ExecutionError::NoSuchOverload),
    }
}

/// Adds the variable and its methods.
pub fn add(context: &mut Context<'static>, engine: &Engine, user: &User, place: &Place) {
    let own = Question {
        grants: engine.rbac.grants(engine),
        user: user.clone(),
        group: String::new(),
        resource: String::new(),
        sub: String::new(),
        namespace: String::new(),
        name: String::new(),
        path: String::new(),
        allowed: false,
    };
    let requested = Question {
        group: place.resource.group().to_owned(),
        resource: place.resource.plural().to_owned(),
        sub: place.sub.clone(),
        namespace: place.namespace.clone(),
        name: place.name.clone(),
        ..own.clone()
    };
    let members = [(OWN, own), ("requestResource", requested)]
        .map(|(key, value)| (Key::String(Arc::new(key.to_owned())), value.wrapped()));
    let map = CelMap {
        map: Arc::new(members.into_iter().collect()),
    };
    context.add_variable_from_value(NAME, CelValue::Map(map));
    add_methods(context);
}

fn add_methods(context: &mut Context<'static>) {
    type Setter = fn(&mut Question, String);
    let setters: [(&str, Setter); 6] = [
        ("group", |asked, text| asked.group = text),
        ("resource", |asked, text| asked.resource = text),
        ("subresource", |asked, text| asked.sub = text),
        ("namespace", |asked, text| asked.namespace = text),
        ("name", |asked, text| asked.name = text),
        ("path", |asked, text| asked.path = text),
    ];
    for (name, set) in setters {
        context.add_function(
            name,
            move |This(this): This<CelValue>, text: Arc<String>| {
                let mut asked = question(&this)?;
                set(&mut asked, text.to_string());
                Ok::<_, ExecutionError>(asked.wrapped())
            },
        );
    }
    // Roles know no selectors: what they grant, they grant with any.
    for name in ["fieldSelector", "labelSelector"] {
        context.add_function(name, |This(this): This<CelValue>, _: Arc<String>| {
            question(&this).map(Question::wrapped)
        });
    }
    context.add_function(
        "serviceAccount",
        |This(this): This<CelValue>, namespace: Arc<String>, name: Arc<String>| {
            let mut asked = question(&this)?;
            asked.user = crate::auth::authn::service_account(&namespace, &name);
            Ok::<_, ExecutionError>(asked.wrapped())
        },
    );
    context.add_function("check", |This(this): This<CelValue>, verb: Arc<String>| {
        Ok::<_, ExecutionError>(question(&this)?.check(&verb).wrapped())
    });
    context.add_function("allowed", |This(this): This<CelValue>| {
        Ok::<_, ExecutionError>(CelValue::Bool(question(&this)?.allowed))
    });
    context.add_function("errored", |This(this): This<CelValue>| {
        question(&this).map(|_| CelValue::Bool(false))
    });
    for name in ["reason", "error"] {
        context.add_function(name, |This(this): This<CelValue>| {
            question(&this).map(|_| CelValue::String(Arc::new(String::new())))
        });
    }
}
