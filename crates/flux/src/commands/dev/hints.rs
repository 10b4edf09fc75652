//! Messages of failed objects, shortened where they repeat themselves, and what a person can do about them.
//!
//! Pure: messages go in, lines come out. The messages themselves are upstream's and stay as they are in the cluster.

use std::collections::BTreeMap;

/// From this number on, lines of one form are counted instead of listed.
const COUNTED_FROM: usize = 3;

const NO_MATCH: &str = " dry-run failed: no matches for kind ";

/// Words at the end of a line that says what became of an applied object.
const OUTCOMES: &[&str] = &[" created", " configured", " unchanged", " skipped"];

/// Returns the first line of a message, and how many follow.
pub fn headline(message: &str) -> String {
    // Indented lines belong to the one before.
    let is_cause = |line: &&str| !is_outcome(line) && !line.starts_with(' ');
    let mut lines = message.lines().filter(is_cause);
    let first = lines.next().unwrap_or_default();
    match lines.count() {
        0 => first.to_owned(),
        more => format!("{first} (and {more} more)"),
    }
}

/// Returns the lines of a message, missing kinds and applied objects counted where they are many.
pub fn details(message: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut missing = Vec::new();
    let mut applied = 0;
    for line in message.lines() {
        if is_outcome(line) {
            applied += 1;
        } else if let Some(kind) = missing_kind(line) {
            missing.push((kind, line.to_owned()));
        } else {
            lines.push(line.to_owned());
        }
    }
    if missing.len() < COUNTED_FROM {
        lines.extend(missing.into_iter().map(|(_, line)| line));
    } else {
        let count = missing.len();
        let kinds = counted(missing.into_iter().map(|(kind, _)| kind));
        lines.push(format!(
            "{count} objects of kinds that are not served: {kinds}"
        ));
    }
    match applied {
        0 => {}
        1 => lines.push("1 object applied".to_owned()),
        many => lines.push(format!("{many} objects applied")),
    }
    lines
}

/// Returns what a person can do about messages of failed objects; each advice once.
pub fn advice(messages: &[&str]) -> Vec<String> {
    let mut advice = Vec::new();
    let lines = messages.iter().flat_map(|message| message.lines());
    let missing = lines.filter_map(missing_kind);
    let missing: BTreeMap<String, usize> = count(missing);
    if !missing.is_empty() {
        let kinds: Vec<String> = missing.into_keys().collect();
        advice.push(format!(
            "no CustomResourceDefinition was applied for {}; what needs one goes on as soon as it is there",
            kinds.join(", ")
        ));
    }
    let said = |text: &str| messages.iter().any(|message| message.contains(text));
    for (text, line) in ADVICE {
        if said(text) && !advice.iter().any(|known| known == line) {
            advice.push((*line).to_owned());
        }
    }
    advice
}

/// Parts of messages, and what to do about them.
const ADVICE: &[(&str, &str)] = &[
    (
        "namespace not specified",
        "give objects a namespace, set spec.targetNamespace, or run with --target-namespace NAME",
    ),
    (
        "missing Resource metadata",
        "choose the directory that describes the cluster with --path DIR",
    ),
    (
        "kustomization path not found",
        "choose the directory that describes the cluster with --path DIR",
    ),
    (
        "unable to clone 'http",
        "take a repository that lies on this machine with --local URL=PATH",
    ),
    (
        "authentication required",
        "take a repository that lies on this machine with --local URL=PATH",
    ),
];

fn is_outcome(line: &str) -> bool {
    !line.contains(": ") && OUTCOMES.iter().any(|word| line.ends_with(word))
}

/// Returns kind and version of a line that misses them, as `Kind (version)`.
fn missing_kind(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(NO_MATCH)?;
    let (kind, version) = rest.split_once(" in version ")?;
    let version = version.trim_matches(['"', '.']);
    Some(format!("{} ({version})", kind.trim_matches('"')))
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

fn counted(names: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = count(names)
        .into_iter()
        .map(|(name, count)| match count {
            1 => name,
            count => format!("{count} {name}"),
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(name: &str, kind: &str) -> String {
        format!(
            "{kind}/x/{name} dry-run failed: no matches for kind \"{kind}\" in version \"e.io/v1\""
        )
    }

    #[test]
    fn many_lines_of_one_form_are_counted() {
        let few = [missing("a", "Probe"), missing("b", "Probe")].join("\n");
        assert_eq!(details(&few).len(), 2);
        let many = [
            missing("a", "Probe"),
            "Secret/x/s dry-run failed (Forbidden): no".to_owned(),
            missing("b", "Probe"),
            missing("c", "Rule"),
            "ConfigMap/x/y created".to_owned(),
            "ConfigMap/x/z configured".to_owned(),
        ]
        .join("\n");
        assert_eq!(
            details(&many),
            [
                "Secret/x/s dry-run failed (Forbidden): no",
                "3 objects of kinds that are not served: 2 Probe (e.io/v1), Rule (e.io/v1)",
                "2 objects applied",
            ]
        );
        assert_eq!(
            headline(&many),
            format!("{} (and 3 more)", missing("a", "Probe"))
        );
        assert_eq!(headline("one\n  at x.yaml:1:1\n  1 | a"), "one");
        assert_eq!(headline(""), "");
    }

    #[test]
    fn advice_is_given_once() {
        let message = missing("a", "Probe");
        let messages = [message.as_str(), &message, "x namespace not specified: y"];
        let advice = advice(&messages);
        assert_eq!(advice.len(), 2, "{advice:?}");
        assert!(advice[0].contains("for Probe (e.io/v1);"), "{advice:?}");
        assert!(advice[1].contains("--target-namespace"), "{advice:?}");
    }
}
