//! Faults that a simulation lets happen to requests and watches, and rules that say when.
//!
//! A server without faults pays one check of an `Option` a request. Faults come after authorisation: before the request is
//! handled, after its change is stored, or between the events of a watch. With a seed and a manual clock the same requests
//! meet the same faults; every fault that happened is in the journal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _};

use crate::engine::{Engine, Place, User};
use crate::failure::{Answered, Failure};

/// A request as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Verb, such as `patch` or `watch`.
    pub verb: &'a str,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Plural resource.
    pub resource: &'a str,
    /// Subresource; may be empty.
    pub subresource: &'a str,
    /// Namespace; may be empty.
    pub namespace: &'a str,
    /// Name; empty for collections and creates.
    pub name: &'a str,
    /// User who sends it.
    pub user: &'a str,
}

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 409, as if somebody had written in between; nothing is done.
    Conflict,
    /// 429 with `Retry-After`; nothing is done.
    TooManyRequests {
        /// Seconds to wait.
        retry_after_seconds: u32,
    },
    /// 500; nothing is done.
    InternalError,
    /// 503; nothing is done.
    Unavailable,
    /// The connection is lost before anything is done.
    DropBefore,
    /// The change is stored and durable, the connection is lost before the answer.
    DropAfterCommit,
    /// The change is stored and durable, the answer is a 500.
    ErrorAfterCommit,
    /// A read that takes any version (`resourceVersion=0`) sees the state some versions ago, as far as it is remembered.
    StaleRead {
        /// Versions of the whole store to go back.
        versions: u64,
    },
    /// The request, or the next events of a watch, wait on the server's clock.
    Delay(Duration),
    /// A watch ends with 410.
    WatchExpired,
    /// A watch ends without a word.
    WatchCut,
    /// The server stops at once: nothing is handled any more, what is not on disk yet is lost.
    Kill,
    /// The same after the change was made in memory, before anybody waited for the disk.
    KillAfterCommit,
}

/// Decides which requests and events meet a fault.
pub trait Faults: Send + Sync {
    /// Is asked once for every authorised request.
    fn on_request(&self, request: &Request<'_>) -> Option<Fault>;

    /// Is asked before further events of a running watch are delivered; `Delay`, `WatchExpired` and `WatchCut` count.
    fn on_events(&self, request: &Request<'_>) -> Option<Fault>;
}

/// When a rule applies, among the requests that match it.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Always.
    Always,
    /// At the given occurrence, counted from 1.
    Nth(u64),
    /// For the first occurrences.
    First(u64),
    /// With a probability between 0 and 1, from the seed.
    Chance(f64),
}

/// One rule: requests that match may meet its fault. Empty texts match everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Verb; `events` matches what a running watch delivers.
    pub verb: String,
    /// Plural resource.
    pub resource: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// User.
    pub user: String,
    /// When it applies.
    pub when: When,
    /// What happens.
    pub fault: Fault,
}

impl Rule {
    /// Makes a rule for a verb on a resource, always.
    pub fn on(verb: &str, resource: &str, fault: Fault) -> Self {
        Self {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            namespace: String::new(),
            name: String::new(),
            user: String::new(),
            when: When::Always,
            fault,
        }
    }

    /// Restricts when it applies.
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    fn matches(&self, verb: &str, request: &Request<'_>) -> bool {
        let fits = |wanted: &str, actual: &str| wanted.is_empty() || wanted == actual;
        // A rule for all verbs means requests, not the events of watches.
        (self.verb == verb || (self.verb.is_empty() && verb != EVENTS))
            && fits(&self.resource, request.resource)
            && fits(&self.namespace, request.namespace)
            && fits(&self.name, request.name)
            && fits(&self.user, request.user)
    }
}

const EVENTS: &str = "events";

/// A fault that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// `verb resource namespace/name user`.
    pub request: String,
    /// Index of its rule.
    pub rule: usize,
    /// The fault.
    pub fault: Fault,
}

/// Rules with a seed: the same requests in the same order meet the same faults.
pub struct Rules(Mutex<State>);

struct State {
    rules: Vec<Rule>,
    seen: Vec<u64>,
    random: rand::rngs::StdRng,
    journal: Vec<Happened>,
}

impl Rules {
    /// Makes rules; the first that applies counts.
    pub fn new(seed: u64, rules: Vec<Rule>) -> Arc<Self> {
        let seen = vec![0; rules.len()];
        Arc::new(Self(Mutex::new(State {
            rules,
            seen,
            random: rand::rngs::StdRng::seed_from_u64(seed),
            journal: Vec::new(),
        })))
    }

    /// Lists what happened so far, in order.
    pub fn journal(&self) -> Vec<Happened> {
        self.0.lock().journal.clone()
    }

    fn pick(&self, verb: &str, request: &Request<'_>) -> Option<Fault> {
        let mut state = self.0.lock();
        let State {
            rules,
            seen,
            random,
            journal,
        } = &mut *state;
        for (index, rule) in rules.iter().enumerate() {
            if !rule.matches(verb, request) {
                continue;
            }
            seen[index] += 1;
            let applies = match rule.when {
                When::Always => true,
                When::Nth(nth) => seen[index] == nth,
                When::First(count) => seen[index] <= count,
                When::Chance(chance) => random.random_bool(chance.clamp(0.0, 1.0)),
            };
            if applies {
                journal.push(Happened {
                    request: format!(
                        "{verb} {} {}/{} {}",
                        request.resource, request.namespace, request.name, request.user
                    ),
                    rule: index,
                    fault: rule.fault.clone(),
                });
                return Some(rule.fault.clone());
            }
        }
        None
    }
}

impl Faults for Rules {
    fn on_request(&self, request: &Request<'_>) -> Option<Fault> {
        self.pick(request.verb, request)
    }

    fn on_events(&self, request: &Request<'_>) -> Option<Fault> {
        self.pick(EVENTS, request)
    }
}

/// The faults of one server, and whether it has been killed.
#[derive(Default)]
pub(crate) struct Injector {
    faults: OnceLock<Arc<dyn Faults>>,
    killed: AtomicBool,
    stop: OnceLock<tokio::sync::watch::Sender<bool>>,
}

impl Injector {
    /// Arms a server before its first request.
    pub fn arm(&self, faults: Option<Arc<dyn Faults>>, stop: tokio::sync::watch::Sender<bool>) {
        // Set once, at the start.
        if let Some(faults) = faults {
            let _ = self.faults.set(faults);
        }
        let _ = self.stop.set(stop);
    }

    /// Stops the server as a crash would.
    pub fn kill(&self, engine: &Engine) {
        self.killed.store(true, Ordering::SeqCst);
        engine.store.kill();
        if let Some(stop) = self.stop.get() {
            stop.send_replace(true);
        }
    }

    /// Asks what happens to the next events of a watch.
    pub fn on_events(&self, place: &Place, user: &str) -> Option<Fault> {
        let faults = self.faults.get()?;
        faults.on_events(&request("watch", place, user))
    }
}

fn request<'a>(verb: &'a str, place: &'a Place, user: &'a str) -> Request<'a> {
    Request {
        verb,
        group: place.resource.group(),
        resource: place.resource.plural(),
        subresource: &place.sub,
        namespace: &place.namespace,
        name: &place.name,
        user,
    }
}

/// What is left to happen to a request that has been let in.
#[derive(Debug, Default)]
pub(crate) struct Armed(Option<Fault>);

impl Engine {
    /// Lets a request in, or makes it fail.
    pub(crate) async fn let_in(&self, user: &User, verb: &str, place: &Place) -> Answered<Armed> {
        if self.injector.killed.load(Ordering::Relaxed) {
            return Err(Failure::lost());
        }
        let Some(faults) = self.injector.faults.get() else {
            return Ok(Armed::default());
        };
        let fault = faults.on_request(&request(verb, place, &user.name));
        match fault {
            Some(Fault::Conflict) => Err(Failure::modified(place.named())),
            Some(Fault::TooManyRequests {
                retry_after_seconds,
            }) => {
                let message =
                    "the server has received too many requests and has asked us to try again later";
                let mut failure = Failure::new(429, "TooManyRequests", message);
                failure.status.retry_after_seconds = retry_after_seconds;
                Err(failure)
            }
            Some(Fault::InternalError) => Err(injected()),
            Some(Fault::Unavailable) => {
                let message = "the server is currently unable to handle the request";
                Err(Failure::new(503, "ServiceUnavailable", message))
            }
            Some(Fault::DropBefore) => Err(Failure::lost()),
            Some(Fault::Kill) => {
                self.injector.kill(self);
                Err(Failure::lost())
            }
            Some(Fault::Delay(duration)) => {
                self.environment.clock.sleep(duration).await;
                Ok(Armed::default())
            }
            fault => Ok(Armed(fault)),
        }
    }
}

impl Armed {
    /// Is called once a write is made, before anybody waits for the disk.
    pub fn committed(&self, engine: &Engine) -> Answered<()> {
        if self.0 == Some(Fault::KillAfterCommit) {
            engine.injector.kill(engine);
            return Err(Failure::lost());
        }
        Ok(())
    }

    /// Is called once a write is durable.
    pub fn durable(&self) -> Answered<()> {
        match self.0 {
            Some(Fault::DropAfterCommit) => Err(Failure::lost()),
            Some(Fault::ErrorAfterCommit) => Err(injected()),
            _ => Ok(()),
        }
    }

    /// Returns how many versions a read of any version goes back.
    pub fn stale_versions(&self) -> u64 {
        match self.0 {
            Some(Fault::StaleRead { versions }) => versions,
            _ => 0,
        }
    }
}

fn injected() -> Box<Failure> {
    Failure::new(500, "InternalError", "Internal error occurred: injected")
}
