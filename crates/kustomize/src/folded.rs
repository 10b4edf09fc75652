//! What becomes of scalars when upstream prints a resource and reads it again.
//!
//! Of folded blocks (`>`), its printer puts an additional line break before more-indented lines, and the
//! reader keeps it. All other styles survive the round trip, but for empty values within flow collections.

use kyaml::{Node, NodeValue, Style, Tag};

/// Rewrites a tree as upstream does between its two ways through YAML.
///
/// Beside folded blocks, an empty value changes: within `{…}` or `[…]`, and as a key, it is printed as `''`
/// and comes back as text.
pub(crate) fn reprint(node: &mut Node) {
    reprint_within(node, false);
}

fn reprint_within(node: &mut Node, in_flow: bool) {
    let in_flow = in_flow || node.style == Style::Flow;
    match &mut node.value {
        NodeValue::Mapping(entries) => {
            for (key, value) in entries {
                fill_empty(key);
                reprint_within(value, in_flow);
            }
        }
        NodeValue::Sequence(items) => items
            .iter_mut()
            .for_each(|item| reprint_within(item, in_flow)),
        NodeValue::Scalar(text) if node.style == Style::Folded => {
            if !in_flow && stays_folded(text) {
                *text = round_trip(text).into();
            }
            node.style = Style::Literal;
        }
        NodeValue::Scalar(_) if in_flow => fill_empty(node),
        _ => {}
    }
}

fn fill_empty(node: &mut Node) {
    let is_plain = node.style == Style::Plain && !node.tagged;
    if is_plain && node.as_str() == Some("") && matches!(node.tag, Tag::Null | Tag::Implicit) {
        node.tag = Tag::Str;
    }
}

/// Texts that cannot be a block are double-quoted instead, which keeps them.
fn stays_folded(text: &str) -> bool {
    let printable = |c: char| {
        matches!(c, '\n' | '\t' | ' '..='\u{7e}' | '\u{85}' | '\u{a0}'..='\u{d7ff}')
            || matches!(c, '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}') && c != '\u{feff}'
    };
    !text.is_empty() && !text.contains(" \n") && !text.ends_with(' ') && text.chars().all(printable)
}

fn is_blank(c: Option<char>) -> bool {
    matches!(c, Some(' ' | '\t'))
}

/// Prints as a folded block, without indentation.
fn printed(text: &str) -> String {
    let starts_blank = matches!(text.chars().next(), None | Some(' ' | '\t' | '\n'));
    let mut out = String::with_capacity(text.len() + 16);
    let (mut after_break, mut leading_spaces) = (true, true);
    for c in text.chars() {
        if c == '\n' {
            if !after_break && !leading_spaces && !starts_blank {
                out.push('\n');
            }
            out.push('\n');
            after_break = true;
        } else {
            if after_break {
                leading_spaces = is_blank(Some(c));
            }
            out.push(c);
            after_break = false;
        }
    }
    out
}

/// Reads the lines of a folded block: a single break between lines without indentation becomes a blank, of
/// several the first is dropped.
fn read(printed: &str) -> String {
    let mut out = String::with_capacity(printed.len());
    let mut rest = printed;
    let mut previous_blank = None;
    while !rest.is_empty() {
        let breaks = rest.len() - rest.trim_start_matches('\n').len();
        rest = &rest[breaks..];
        let blank = is_blank(rest.chars().next());
        match previous_blank {
            Some(false) if !blank && breaks == 1 => out.push(' '),
            Some(false) if !blank => out.push_str(&"\n".repeat(breaks - 1)),
            _ => out.push_str(&"\n".repeat(breaks)),
        }
        let end = rest.find('\n').unwrap_or(rest.len());
        out.push_str(&rest[..end]);
        rest = &rest[end..];
        previous_blank = Some(blank);
    }
    out
}

/// One line break at the end is kept by the header that the printer chooses; more of them are printed with
/// one too many.
fn round_trip(text: &str) -> String {
    let body = text.trim_end_matches('\n');
    let mut result = read(&printed(body));
    let breaks = &text[body.len()..];
    let last_line = body.rsplit('\n').next().unwrap_or("");
    let starts_blank = is_blank(text.chars().next()) || text.starts_with('\n');
    if breaks.len() > 1 && !starts_blank && !is_blank(last_line.chars().next()) {
        result.push('\n');
    }
    result.push_str(breaks);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_is_added_before_indented_lines() {
        for (text, expected) in [
            ("a b", "a b"),
            ("a\nb", "a\nb"),
            ("a\n\nb\n", "a\n\nb\n"),
            ("a,\n  b\n)", "a,\n\n  b\n)"),
            ("a\n\n", "a\n\n\n"),
            ("a\n  b\n  c\nd", "a\n\n  b\n  c\nd"),
        ] {
            assert_eq!(round_trip(text), expected, "{text:?}");
        }
    }
}
