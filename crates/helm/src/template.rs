//! Single templates with Helm's functions: one text, one value.

use std::sync::Arc;

use gotemplate::{MissingKey, Set, Text, Value, with_deep_stack};

use crate::Version;
use crate::failure;
use crate::functions::{World, registry, without_no_value};

/// Renders one text as the chart renderer does.
///
/// # Errors
/// The template does not parse or fails, in the words of that version.
pub fn render_text(
    name: &str,
    text: &str,
    data: &Value,
    strict: bool,
    version: Version,
    world: &World,
) -> Result<Vec<u8>, String> {
    let missing = if strict {
        MissingKey::Error
    } else {
        MissingKey::Zero
    };
    let mut set = Set::new("gotpl", Arc::new(registry(version)), missing);
    set.parse(name, &Text::from(text))
        .map_err(|error| failure::parse_text(&error))?;
    let set = Arc::new(set);
    let out = with_deep_stack(|| set.execute(name, data, world))?;
    Ok(without_no_value(
        out.map_err(|error| failure::exec_text(version, &error))?,
    ))
}

/// Renders the template of a release name: Sprig's functions, no data.
///
/// # Errors
/// The template does not parse or fails.
pub fn render_name(text: &str, version: Version, world: &World) -> Result<String, String> {
    let mut set = Set::new(
        "name-template",
        Arc::new(registry(version)),
        MissingKey::Invalid,
    );
    set.parse("name-template", &Text::from(text))
        .map_err(|error| error.to_string())?;
    let set = Arc::new(set);
    let out = with_deep_stack(|| set.execute("name-template", &Value::Nil, world))?;
    Ok(String::from_utf8_lossy(&out.map_err(|error| error.to_string())?).into_owned())
}
