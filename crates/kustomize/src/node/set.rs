//! Writing of scalars and fields: the style of what stood there before stays.

use kyaml::{Node, NodeValue, Style, Tag};

use super::shared::overwrite;
use super::{Kind, is_null, is_string, kind};
use crate::error::Result;
use crate::node::lookup::ensure;

/// Tells whether YAML 1.1 reads a plain text as something other than a string.
fn is_yaml_1_1_non_string(text: &str) -> bool {
    !text.is_empty() && !text.contains('\n') && crate::emission::reads_as_non_string(text)
}

/// Quotes a new plain string that would be read as something else.
pub(crate) fn guard(value: &mut Node) {
    if is_string(value) && value.style == Style::Plain && is_yaml_1_1_non_string(super::text(value))
    {
        value.style = Style::DoubleQuoted;
    }
}

/// Replaces a scalar by another, keeping its style; a null writes nothing.
pub(crate) fn set_scalar(target: &mut Node, value: Node) -> Result<()> {
    ensure(target, Kind::Scalar)?;
    if is_null(&value) {
        return Ok(());
    }
    overwrite(target, value);
    Ok(())
}

/// Sets a field of a map, keeping the style of a value that stood there; a null removes the field.
pub(crate) fn set_field(map: &mut Node, name: &str, value: Node) -> Result<()> {
    set_field_with_key_style(map, name, Style::Plain, value)
}

/// Sets a field; a key that has to be added gets the style.
pub(crate) fn set_field_with_key_style(
    map: &mut Node,
    name: &str,
    key_style: Style,
    mut value: Node,
) -> Result<()> {
    if is_null(map) {
        return Ok(());
    }
    ensure(map, Kind::Mapping)?;
    if is_null(&value) {
        map.remove(name);
        return Ok(());
    }
    guard(&mut value);
    if let Some(field) = map.get_mut(name) {
        overwrite(field, value);
    } else if let Some(entries) = map.entries_mut() {
        let mut key = Node::plain(name);
        key.style = key_style;
        entries.push((key, value));
    }
    Ok(())
}

/// Sets a string field of a map.
pub(crate) fn set_string(map: &mut Node, name: &str, text: &str) -> Result<()> {
    set_field(map, name, super::string(text))
}

/// Returns a field of a map, made when it is not there. Nothing is made in a null.
pub(crate) fn field_or_make<'a>(
    map: &'a mut Node,
    name: &str,
    make: Kind,
) -> Result<Option<&'a mut Node>> {
    if is_null(map) {
        return Ok(None);
    }
    ensure(map, Kind::Mapping)?;
    let NodeValue::Mapping(entries) = &mut map.value else {
        return Ok(None);
    };
    let index = match entries.iter().position(|(k, _)| k.as_str() == Some(name)) {
        Some(index) => index,
        None => {
            entries.push((Node::plain(name), super::empty(make)));
            entries.len() - 1
        }
    };
    Ok(entries.get_mut(index).map(|(_, value)| value))
}

/// Turns a null into an empty node of a kind.
pub(crate) fn fill_null(node: &mut Node, make: Kind, tag: Tag) {
    if is_null(node) && kind(node) != make {
        node.value = super::empty(make).value;
    }
    node.tag = tag;
}
