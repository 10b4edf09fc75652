//! The end of a pass: error classes, summary into Ready, events, next look.

use std::collections::BTreeMap;

use api::conditions::{self, ConditionStatus};
use api::names::{self, reason};
use api::{Condition, Severity};

use crate::report::EventDraft;

use super::{Class, Decision, News, Next, Pass, Problem, Source, Status};

/// Conditions that tell of a failure.
const FAILURES: [&str; 4] = [
    names::BUILD_FAILED_CONDITION,
    names::FETCH_FAILED,
    names::INCLUDE_UNAVAILABLE,
    names::STORAGE_OPERATION_FAILED,
];

impl<S: Source> Pass<S> {
    /// Ends a pass that stored an artifact or kept it.
    pub(crate) fn end(mut self, news: News) -> Decision<S::Status> {
        self.notify(news);
        self.finish()
    }

    /// Ends a pass whose news are told already.
    pub(crate) fn finish(mut self) -> Decision<S::Status> {
        self.record_request();
        self.delete(names::RECONCILING);
        self.delete(names::STALLED);
        self.observe();
        self.conclude(None)
    }

    /// Ends a pass early.
    pub fn fail(mut self, problem: Problem) -> Decision<S::Status> {
        self.show(&problem);
        self.finish_failed(problem)
    }

    /// Sets the condition of a failure.
    pub(crate) fn show(&mut self, problem: &Problem) {
        let Some(type_) = problem.condition else {
            return;
        };
        let status = match type_ {
            names::SOURCE_VERIFIED => ConditionStatus::False,
            _ => ConditionStatus::True,
        };
        let stamp = self.stamp;
        let condition = Condition::new(type_, status, problem.reason, &problem.message);
        conditions::set(self.status.conditions_mut(), condition, stamp);
    }

    /// Ends a pass whose failure is in the conditions already.
    pub(crate) fn finish_failed(mut self, problem: Problem) -> Decision<S::Status> {
        let severity = match problem.class {
            Class::Waiting(_) => Severity::Trace,
            _ => Severity::Error,
        };
        if !self.is_told(&problem) {
            self.notice(severity, problem.reason, problem.message.clone());
        }
        self.record_request();
        let stamp = self.stamp;
        conditions::mark_retry(self.status.conditions_mut(), stamp);
        if problem.class == Class::Stalling {
            let list = self.status.conditions_mut();
            conditions::mark_stalled(list, problem.reason, &problem.message, stamp);
            self.observe();
        } else {
            self.delete(names::STALLED);
        }
        self.conclude(Some(problem))
    }

    /// Whether people know already what is waited for.
    fn is_told(&self, problem: &Problem) -> bool {
        let mut known = self.before.status.conditions().iter();
        matches!(problem.class, Class::Waiting(_))
            && known.any(|c| c.reason == problem.reason && c.message == problem.message)
    }

    pub(super) fn finish_suspended(mut self) -> Decision<S::Status> {
        self.record_request();
        let stamp = self.stamp;
        conditions::mark_retry(self.status.conditions_mut(), stamp);
        self.delete(names::STALLED);
        self.observe();
        self.summarise();
        Decision {
            status: self.status,
            events: self.events,
            next: Next::Nothing,
        }
    }

    fn conclude(mut self, problem: Option<Problem>) -> Decision<S::Status> {
        self.summarise();
        let interval = Next::Interval(self.before.spec.interval());
        let list = self.status.conditions();
        let next = match problem {
            Some(Problem { class, message, .. }) => match class {
                Class::Generic => Next::Retry(message),
                Class::Stalling => Next::Nothing,
                Class::Waiting(duration) if duration.is_zero() => interval,
                Class::Waiting(duration) => Next::After(duration),
            },
            None if conditions::is_ready(list) => interval,
            None => {
                let ready = conditions::get(list, names::READY);
                Next::Retry(ready.map(|c| c.message.clone()).unwrap_or_default())
            }
        };
        Decision {
            status: self.status,
            events: self.events,
            next,
        }
    }

    /// Sets Ready from the other conditions; a failed verification beats everything.
    fn summarise(&mut self) {
        let stamp = self.stamp;
        let list = self.status.conditions_mut();
        if let Some(ready) = conditions::summarise(list, S::CONDITIONS) {
            conditions::set(list, ready, stamp);
        }
        if let Some(failed) = conditions::get(list, names::SOURCE_VERIFIED)
            .filter(|c| c.status == ConditionStatus::False)
            .cloned()
        {
            conditions::mark_false(list, names::READY, &failed.reason, failed.message, stamp);
        }
    }

    fn record_request(&mut self) {
        let request = self.before.metadata.reconcile_request().to_owned();
        if !request.is_empty() {
            *self.status.last_handled_mut() = request;
        }
    }

    /// Records that this generation came to an end; not before anything was observed.
    fn observe(&mut self) {
        if !self.status.conditions().is_empty() {
            *self.status.observed_generation_mut() = Some(self.stamp.generation);
        }
    }

    /// Tells people about a new artifact, or about recovery from a failure.
    pub(crate) fn notify(&mut self, news: News) {
        let Some(artifact) = self.status.artifact() else {
            return;
        };
        let before = self.before.status.artifact();
        let reason = if before.is_none_or(|before| before.digest != artifact.digest) {
            news.reason
        } else if self.recovered() {
            news.recovered
        } else {
            return;
        };
        let key = |name: &str| format!("{}/{name}", names::SOURCE_GROUP);
        let metadata = BTreeMap::from([
            (key(names::META_REVISION), artifact.revision.clone()),
            (key(names::META_DIGEST), artifact.digest.clone()),
        ]);
        self.events.push(EventDraft {
            severity: Severity::Info,
            reason: reason.to_owned(),
            message: news.message,
            metadata,
        });
    }

    fn recovered(&self) -> bool {
        let failed = |list: &[Condition]| {
            let mut failures = FAILURES.iter();
            failures.any(|failure| conditions::get(list, failure).is_some())
        };
        failed(self.before.status.conditions()) && !failed(self.status.conditions())
    }
}

impl News {
    /// News with the usual reasons.
    pub(crate) fn artifact(message: String) -> Self {
        Self {
            reason: reason::NEW_ARTIFACT,
            recovered: reason::SUCCEEDED,
            message,
        }
    }
}
