//! Rules for names, labels, annotations and finalizers, with apimachinery's texts.
//!
//! Each function lists the problems of a text; there are none where it is good.

/// Problems of a DNS-1123 label; empty where there are none.
pub fn dns_label(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63);
    if !is_label(text) {
        if text.contains('.') && dns_subdomain(text).is_empty() {
            problems.push("must not contain dots".into());
            return problems;
        }
        problems.push("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')".into());
    }
    problems
}

/// Problems of a DNS-1035 label, as Service names have to be.
pub fn dns_1035_label(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63);
    if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        problems.push("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')".into());
    }
    problems
}

/// Problems of a DNS-1123 subdomain.
pub fn dns_subdomain(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 253);
    if !text.split('.').all(is_label) {
        problems.push("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".into());
    }
    problems
}

/// Problems of a search domain: a DNS-1123 subdomain that may have underscores.
pub fn dns_subdomain_with_underscores(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 253);
    if !text.split('.').all(is_part) {
        problems.push("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')".into());
    }
    problems
}

/// Problems of a name that only has to be a path segment, as those of RBAC objects.
pub fn path_segment(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|part| text.contains(**part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

/// Problems of a qualified name (label and annotation keys, finalizers).
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let name = match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".into());
            } else {
                let found = dns_subdomain(prefix);
                problems.extend(found.into_iter().map(|p| format!("prefix part {p}")));
            }
            *name
        }
        _ => {
            return vec!["a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')".into()];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".into());
    }
    if !is_word(name) {
        problems.push("name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')".into());
    }
    problems
}

/// Problems of a label value.
pub fn label_value(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 bytes".into());
    }
    if !text.is_empty() && !is_word(text) {
        problems.push("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')".into());
    }
    problems
}

fn too_long(text: &str, max: usize) -> Vec<String> {
    if text.len() > max {
        vec![format!("must be no more than {max} characters")]
    } else {
        Vec::new()
    }
}

/// Tells whether a text is letters and digits, with others in between that are allowed there; never for an empty one.
fn is_made_of(text: &str, outer: fn(u8) -> bool, inner: &[u8]) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| outer(*byte));
    let bytes = text.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|b| outer(*b) || inner.contains(b))
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`
fn is_label(text: &str) -> bool {
    is_made_of(text, is_lower, b"-")
}

/// `_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?`
fn is_part(text: &str) -> bool {
    is_made_of(text.strip_prefix('_').unwrap_or(text), is_lower, b"-_")
}

/// `([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]`
fn is_word(text: &str) -> bool {
    is_made_of(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_their_form() {
        type Rule = fn(&str) -> Vec<String>;
        let rows: [(Rule, &[&str], &[&str]); 6] = [
            (
                dns_label,
                &["a", "a-1", "0"],
                &["", "-a", "a-", "A", "a.b", "a_b"],
            ),
            (dns_1035_label, &["a", "a-1"], &["", "1a", "a-", "A"]),
            (
                dns_subdomain,
                &["a", "a.b-c.0"],
                &["", "a..b", ".a", "a.", "a_b", "a\n"],
            ),
            (
                dns_subdomain_with_underscores,
                &["_a", "_a.b_c"],
                &["", "__", "a_", "_"],
            ),
            (
                qualified_name,
                &["a", "A.b_c-D", "x.y/A"],
                &["", "/a", "x/", "a/b/c", "X/a", "-a", "a."],
            ),
            (
                label_value,
                &["", "A", "a.b_c-D"],
                &["-", "a-", "a b", "\u{e4}"],
            ),
        ];
        for (rule, good, bad) in rows {
            for text in good {
                assert_eq!(rule(text), Vec::<String>::new(), "{text:?}");
            }
            for text in bad {
                assert_ne!(rule(text), Vec::<String>::new(), "{text:?}");
            }
        }
    }
}
