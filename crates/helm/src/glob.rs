//! Patterns of `.Files.Glob`: `*` within a path element, `**` across, `?`, classes, alternatives.

use regex::Regex;

/// A compiled pattern; a malformed one matches everything, as upstream has it.
#[derive(Debug)]
pub(crate) struct Glob(Option<Regex>);

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        let translated =
            translate(pattern).and_then(|regex| Regex::new(&format!("^(?s:{regex})$")).ok());
        Self(translated)
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        self.0.as_ref().is_none_or(|regex| regex.is_match(path))
    }
}

/// The pattern as a regular expression; `None` where it is malformed.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut depth = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                while chars.next_if_eq(&'*').is_some() {}
                out.push_str(".*");
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '{' => {
                depth += 1;
                out.push_str("(?:");
            }
            '}' => {
                depth = depth.checked_sub(1)?;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            '\\' => out.push_str(&regex::escape(&chars.next()?.to_string())),
            '[' => {
                out.push('[');
                if chars.next_if(|c| matches!(c, '!' | '^')).is_some() {
                    out.push('^');
                }
                let mut any = false;
                loop {
                    match chars.next()? {
                        ']' if any => break,
                        '\\' => out.push_str(&regex::escape(&chars.next()?.to_string())),
                        '-' => out.push('-'),
                        c => out.push_str(&regex::escape(&c.to_string())),
                    }
                    any = true;
                }
                out.push(']');
            }
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    (depth == 0).then_some(out)
}
