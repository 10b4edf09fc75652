//! Ready, composed of what was released, tested and remediated.

use api::conditions::{self, Condition, Stamp};
use api::names::{READY, RELEASED, REMEDIATED, STALLED, TEST_SUCCESS};
use api::{ConditionStatus, HelmRelease, HelmReleaseStatus};

use super::digest::{common_metadata_digest, post_renderers_digest};

/// Composes Ready, and notes which post-renderers and metadata it speaks of.
pub fn summarize(own: &HelmRelease, status: &mut HelmReleaseStatus, stamp: Stamp) {
    let test = own.spec.test();
    let types: &[&str] = if test.enable && !test.ignore_failures {
        &[REMEDIATED, TEST_SUCCESS, RELEASED]
    } else {
        &[REMEDIATED, RELEASED]
    };
    if !test.enable {
        conditions::delete(&mut status.conditions, TEST_SUCCESS);
    }
    let Some(first) = decisive(&status.conditions, types) else {
        return;
    };
    let value = if first.type_ == REMEDIATED {
        ConditionStatus::False
    } else {
        first.status
    };
    if value == ConditionStatus::True {
        conditions::delete(&mut status.conditions, STALLED);
    }
    let ready = Condition::new(READY, value, &first.reason, first.message);
    conditions::set(&mut status.conditions, ready, stamp);
    status.observed_post_renderers_digest = post_renderers_digest(&own.spec);
    status.observed_common_metadata_digest = common_metadata_digest(&own.spec);
}

/// Finds the condition that speaks for all: newer generations first, then the order of types.
///
/// The order is no total one, so the steps of upstream's stable sort are followed.
fn decisive(list: &[Condition], types: &[&str]) -> Option<Condition> {
    let position = |c: &Condition| types.iter().position(|t| *t == c.type_);
    let before = |a: &Condition, b: &Condition| match (position(a), position(b)) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(i), Some(j)) => a.observed_generation >= b.observed_generation && i < j,
    };
    let mut sorted = list.to_vec();
    for end in 1..sorted.len() {
        let mut at = end;
        while at > 0 && before(&sorted[at], &sorted[at - 1]) {
            sorted.swap(at, at - 1);
            at -= 1;
        }
    }
    sorted.into_iter().next()
}
