//! The end of a pass: error classes, summary into Ready, events, next look.

use std::collections::BTreeMap;

use api::conditions::{self, ConditionStatus};
use api::names::{self, reason};
use api::{Condition, Severity};

use crate::report::EventDraft;

use super::{Class, Decision, FAILURES, Next, Pass, Problem, SUMMARY};

impl Pass {
    /// Ends a pass that stored an artifact or kept it after a full fetch.
    pub fn success(mut self) -> Decision {
        self.notify();
        self.record_request();
        self.delete(names::RECONCILING);
        self.delete(names::STALLED);
        self.observe();
        self.conclude(None)
    }

    /// Ends a pass that found the reference and the configuration unchanged.
    ///
    /// The event is recorded only where somebody asked for the pass, so that idle repositories write nothing.
    pub fn no_operation(mut self) -> Decision {
        let revision = self.commit.as_ref().map_or("", |c| c.revision.as_str());
        let message =
            format!("no changes since last reconciliation: observed revision '{revision}'");
        let revision = revision.to_owned();
        self.delete(names::FETCH_FAILED);
        self.mark_stored(&revision);
        self.notify();
        if self.is_requested() || self.is_new_generation() {
            self.notice(Severity::Trace, reason::GIT_OPERATION_SUCCEEDED, message);
        }
        self.record_request();
        self.delete(names::STALLED);
        self.delete(names::RECONCILING);
        self.observe();
        self.conclude(None)
    }

    /// Ends a pass early.
    pub fn fail(mut self, problem: Problem) -> Decision {
        if problem.class == Class::NoOperation {
            return self.no_operation();
        }
        if let Some(type_) = problem.condition {
            let status = match type_ {
                names::SOURCE_VERIFIED => ConditionStatus::False,
                _ => ConditionStatus::True,
            };
            let condition = Condition::new(type_, status, problem.reason, &problem.message);
            conditions::set(&mut self.status.conditions, condition, self.stamp);
        }
        let severity = match problem.class {
            Class::Waiting(_) => Severity::Trace,
            _ => Severity::Error,
        };
        self.notice(severity, problem.reason, problem.message.clone());
        self.record_request();
        let list = &mut self.status.conditions;
        conditions::mark_retry(list, self.stamp);
        match problem.class {
            Class::Stalling => {
                conditions::mark_stalled(list, problem.reason, &problem.message, self.stamp);
                self.observe();
            }
            _ => conditions::delete(list, names::STALLED),
        }
        self.conclude(Some(problem))
    }

    pub(super) fn finish_suspended(mut self) -> Decision {
        self.record_request();
        conditions::mark_retry(&mut self.status.conditions, self.stamp);
        self.delete(names::STALLED);
        self.observe();
        self.summarise();
        Decision {
            status: self.status,
            events: self.events,
            next: Next::Nothing,
        }
    }

    fn conclude(mut self, problem: Option<Problem>) -> Decision {
        self.summarise();
        let interval = Next::Interval(self.before.spec.interval.0);
        let next = match problem {
            Some(Problem { class, message, .. }) => match class {
                Class::Generic => Next::Retry(message),
                Class::Stalling => Next::Nothing,
                Class::Waiting(duration) if duration.is_zero() => interval,
                Class::Waiting(duration) => Next::After(duration),
                Class::NoOperation => interval,
            },
            None if conditions::is_ready(&self.status.conditions) => interval,
            None => {
                let ready = conditions::get(&self.status.conditions, names::READY);
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
        let list = &mut self.status.conditions;
        if let Some(ready) = conditions::summarise(list, SUMMARY) {
            conditions::set(list, ready, self.stamp);
        }
        if let Some(failed) = conditions::get(list, names::SOURCE_VERIFIED)
            .filter(|c| c.status == ConditionStatus::False)
            .cloned()
        {
            let stamp = self.stamp;
            conditions::mark_false(list, names::READY, &failed.reason, failed.message, stamp);
        }
    }

    fn record_request(&mut self) {
        let request = self.before.metadata.reconcile_request();
        if !request.is_empty() {
            self.status.last_handled_reconcile_at = request.to_owned();
        }
    }

    /// Records that this generation came to an end; not before anything was observed.
    fn observe(&mut self) {
        if !self.status.conditions.is_empty() {
            self.status.observed_generation = Some(self.stamp.generation);
        }
    }

    /// Tells people about a new artifact, or about recovery from a failure.
    fn notify(&mut self) {
        let (Some(artifact), Some(commit)) = (&self.status.artifact, &self.commit) else {
            return;
        };
        let before = self.before.status.artifact.as_ref();
        let reason = if before.is_none_or(|before| before.digest != artifact.digest) {
            reason::NEW_ARTIFACT
        } else if self.recovered() {
            reason::SUCCEEDED
        } else {
            return;
        };
        let shown = commit.subject.as_ref().unwrap_or(&commit.revision);
        let key = |name: &str| format!("{}/{name}", names::SOURCE_GROUP);
        let metadata = BTreeMap::from([
            (key(names::META_REVISION), artifact.revision.clone()),
            (key(names::META_DIGEST), artifact.digest.clone()),
        ]);
        self.events.push(EventDraft {
            severity: Severity::Info,
            reason: reason.to_owned(),
            message: format!("stored artifact for commit '{shown}'"),
            metadata,
        });
    }

    fn recovered(&self) -> bool {
        let failed =
            |list: &[Condition]| FAILURES.iter().any(|f| conditions::get(list, f).is_some());
        failed(&self.before.status.conditions) && !failed(&self.status.conditions)
    }
}
