//! Texts of table columns: the documentation of a field where a column shows one, else upstream's own words.
//!
//! `columns.tsv` has a line for each: a plural (`*` for any kind), the column, and either a component and its field or the
//! words. Words stand there too where upstream's text is older than the field's present documentation.

use std::collections::HashMap;
use std::sync::LazyLock;

use objects::schema::builtin;

use crate::catalog::Resource;

const TABLE: &str = include_str!("columns.tsv");

/// What OpenAPI adds to the text of a field with a closed set of values.
const ENUM_APPENDIX: &str = "\n\nPossible enum values:";

/// Texts by plural, then by column.
static COLUMNS: LazyLock<HashMap<&str, HashMap<&str, String>>> = LazyLock::new(|| {
    let mut columns: HashMap<_, HashMap<_, _>> = HashMap::new();
    for (plural, column, text) in TABLE.lines().skip(1).filter_map(entry) {
        columns.entry(plural).or_default().insert(column, text);
    }
    columns
});

/// Returns the text of a column of a built-in kind, or "".
pub fn description(resource: &Resource, column: &str) -> &'static str {
    let text = |plural: &str| COLUMNS.get(plural)?.get(column);
    text(resource.plural())
        .or_else(|| text("*"))
        .map_or("", String::as_str)
}

/// Reads a line of the table.
fn entry(line: &'static str) -> Option<(&'static str, &'static str, String)> {
    let cells: Vec<&str> = line.split('\t').collect();
    match cells[..] {
        [plural, column, words] => Some((plural, column, words.replace("\\n", "\n"))),
        [plural, column, component, field] => {
            let text = builtin::description(component, field);
            let text = text.split(ENUM_APPENDIX).next().unwrap_or(text);
            Some((plural, column, text.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_has_a_text() {
        for line in TABLE.lines().skip(1) {
            let (plural, column, text) = entry(line).unwrap_or_else(|| panic!("{line}: not a row"));
            assert!(!text.is_empty(), "{line}: no such field");
            assert_eq!(COLUMNS[plural].get(column), Some(&text), "{line}: twice");
        }
    }
}
