//! What the controllers that apply objects share: the account to act as, artifacts to fetch, drift, triggers.

pub(crate) mod acting;
pub(crate) mod download;
pub(crate) mod drift;
pub(crate) mod triggers;

use apply::{IgnoreRule, IgnoreRuleError, IgnoreRules};

/// Prepares the rules of a spec about fields that may drift.
pub(crate) fn ignore_rules<'a>(
    rules: impl IntoIterator<Item = &'a api::IgnoreRule>,
) -> Result<IgnoreRules, IgnoreRuleError> {
    let rules: Vec<IgnoreRule> = rules
        .into_iter()
        .map(|rule| {
            let target = rule.target.clone().unwrap_or_default();
            IgnoreRule {
                paths: rule.paths.clone(),
                group: target.group,
                version: target.version,
                kind: target.kind,
                name: target.name,
                namespace: target.namespace,
                label_selector: target.label_selector,
                annotation_selector: target.annotation_selector,
            }
        })
        .collect();
    IgnoreRules::new(&rules)
}
