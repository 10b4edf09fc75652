//! `vars`: `$(NAME)` at configured fields is replaced by a field of another object.

use std::collections::BTreeMap;

use kyaml::{Node, NodeValue, Tag, Text};

use crate::config::Config;
use crate::error::{BuildError, Result, fail};
use crate::id::ResId;
use crate::kustomization::Var;
use crate::node::fieldspec::Spec;
use crate::node::lookup::lookup;
use crate::node::shared::keep_number;
use crate::node::{is_null, is_string, split_dotted, text};
use crate::openapi::Schemas;
use crate::resmap::{ObjectStep, ResMap};
use crate::resource::Resource;

/// Variables by name.
#[derive(Default)]
pub(crate) struct VarSet(BTreeMap<Text, Var>);

impl VarSet {
    /// Adds the variables of another set; a name may occur once.
    pub fn absorb(&mut self, other: VarSet) -> Result<()> {
        other.0.into_values().try_for_each(|var| self.add(var))
    }

    fn add(&mut self, mut var: Var) -> Result<()> {
        if self.0.contains_key(&var.name) {
            fail!("var '{}' already encountered", var.name);
        }
        if var.field.field_path.is_empty() {
            var.field.field_path = "metadata.name".to_owned();
        }
        self.0.insert(var.name.clone(), var);
        Ok(())
    }

    /// Adds variables and notes on the objects which of them read from there.
    pub fn add_all(&mut self, vars: &[Var], objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        for var in vars {
            let target = &var.target;
            let wanted = ResId {
                // Written out in a file, a kind is not known to be cluster-scoped.
                cluster_scoped: false,
                gvk: target.gvk(),
                name: target.name.clone(),
                namespace: target.namespace.clone(),
            };
            let matches = |id: &ResId| {
                if wanted.namespace.is_empty() {
                    wanted.same_kind_and_name(id)
                } else {
                    wanted.same(id)
                }
            };
            let found = objects.matching_any(&wanted.name, &wanted.gvk.kind, schemas, matches);
            match found.as_slice() {
                [] => {}
                [index] => {
                    objects.edit(*index, |resource| {
                        resource.variables.push(var.name.clone());
                        Ok(())
                    })?;
                }
                many => fail!(
                    "found {} resId matches for var {} (unable to disambiguate)",
                    many.len(),
                    described(var)
                ),
            }
        }
        vars.iter().try_for_each(|var| self.add(var.clone()))
    }

    /// Replaces the variables in all objects.
    pub fn resolve(&self, objects: &mut ResMap, config: &Config, schemas: &Schemas) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let values = self.values(objects)?;
        let specs = Spec::all(&config.var_reference);
        objects.each(&[&Expansion { specs, values }], schemas)
    }

    fn values(&self, objects: &ResMap) -> Result<BTreeMap<Text, Value>> {
        let mut readers: BTreeMap<Text, usize> = BTreeMap::new();
        for (index, packed) in objects.list().iter().enumerate() {
            for name in packed.variables() {
                readers.entry(name).or_insert(index);
            }
        }
        let mut values = BTreeMap::new();
        for (name, var) in &self.0 {
            let Some(index) = readers.get(name) else {
                fail!(
                    "var '{}' cannot be mapped to a field in the set of known resources",
                    described(var)
                );
            };
            let node = objects.get(*index).node;
            let value = field_value(&node, &var.field.field_path).map_err(|_| {
                BuildError::new(format!(
                    "field specified in var '{}' not found in corresponding resource",
                    described(var)
                ))
            })?;
            values.insert(name.clone(), value);
        }
        Ok(values)
    }
}

/// The replacement of variables in one object.
struct Expansion {
    specs: Vec<Spec>,
    values: Values,
}

impl ObjectStep for Expansion {
    fn apply(&self, resource: &mut Resource, _: &Schemas) -> Result<()> {
        let gvk = resource.gvk();
        self.specs.iter().try_for_each(|spec| {
            let node = &mut resource.node;
            spec.visit(node, &gvk, None, &mut |node| set(node, &self.values))
        })
    }
}

/// Prints a variable as Go's `%v` does: the target's kind stands for the target.
fn described(var: &Var) -> String {
    let gvk = var.target.gvk();
    format!("{{{} {gvk} {{{}}}}}", var.name, var.field.field_path)
}

/// A value that a variable has.
enum Value {
    Scalar(Text, Tag),
    /// A map or list, which cannot be put into text.
    Other,
}

fn field_value(node: &Node, path: &str) -> Result<Value> {
    let steps: Vec<String> = split_dotted(path).into_iter().flat_map(indexed).collect();
    let Some(found) = lookup(node, &steps)? else {
        fail!("no field named '{path}'");
    };
    if !matches!(found.value, NodeValue::Scalar(_)) {
        return Ok(Value::Other);
    }
    let raw = text(found);
    let invalid = || BuildError::new(format!("invalid value {raw:?}"));
    let value = match found.tag {
        Tag::Int => {
            let number: i64 = raw.parse().map_err(|_| invalid())?;
            number.to_string().into()
        }
        Tag::Float => {
            let number: f64 = raw.parse().map_err(|_| invalid())?;
            number.to_string().into()
        }
        _ => raw.into(),
    };
    let tag = match found.tag {
        Tag::Int => Tag::Int,
        Tag::Float => Tag::Float,
        Tag::Bool => Tag::Bool,
        _ => Tag::Str,
    };
    Ok(Value::Scalar(value, tag))
}

/// Takes `name[0]` apart into `name` and `0`.
fn indexed(step: String) -> Vec<String> {
    let inner = step.strip_suffix(']').and_then(|s| s.rsplit_once('['));
    match inner {
        Some((name, index)) if !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()) => {
            let name = (!name.is_empty()).then(|| name.to_owned());
            name.into_iter().chain([index.to_owned()]).collect()
        }
        _ => vec![step],
    }
}

type Values = BTreeMap<Text, Value>;

fn set(node: &mut Node, values: &Values) -> Result<()> {
    if is_null(node) {
        return Ok(());
    }
    if is_string(node) {
        update(node, values);
        return Ok(());
    }
    match &mut node.value {
        NodeValue::Mapping(entries) => {
            for (key, value) in entries {
                if !is_string(key) {
                    fail!(
                        "invalid map key: value='{}', tag='{}'",
                        text(key),
                        tag_name(&key.tag)
                    );
                }
                if is_string(value) {
                    update(value, values);
                }
            }
        }
        NodeValue::Sequence(items) => {
            for item in items {
                if !is_string(item) {
                    fail!("invalid value type expect a string");
                }
                update(item, values);
            }
        }
        _ => {}
    }
    Ok(())
}

fn tag_name(tag: &Tag) -> &'static str {
    match tag {
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Bool => "!!bool",
        Tag::Null => "!!null",
        Tag::Timestamp => "!!timestamp",
        _ => "",
    }
}

fn update(node: &mut Node, values: &Values) {
    let (new, tag) = expand(text(node), values);
    let mut expanded = Node::plain(new);
    expanded.tag = tag;
    keep_number(node, &mut expanded);
    *node = expanded;
}

/// Replaces every `$(NAME)`; a text that is nothing else takes the value's type.
fn expand(input: &str, values: &Values) -> (String, Tag) {
    let mut out = String::with_capacity(input.len());
    let mut rest = input;
    while let Some(at) = rest.find('$') {
        let Some(next) = rest[at + 1..].chars().next() else {
            break;
        };
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        rest = match next {
            '$' => {
                out.push('$');
                &behind[1..]
            }
            '(' => match behind.find(')') {
                Some(end) => {
                    let name = &behind[1..end];
                    match values.get(name) {
                        Some(Value::Scalar(value, tag)) => {
                            if input.len() == name.len() + 3 {
                                return (value.to_string(), tag.clone());
                            }
                            out.push_str(value);
                        }
                        _ => out.push_str(&format!("$({name})")),
                    }
                    &behind[end + 1..]
                }
                None => {
                    out.push_str("$(");
                    &behind[1..]
                }
            },
            other => {
                out.push('$');
                out.push(other);
                &behind[other.len_utf8()..]
            }
        };
    }
    out.push_str(rest);
    (out, Tag::Str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansion_follows_upstream() {
        let mut values = Values::new();
        values.insert("A".into(), Value::Scalar("80".into(), Tag::Int));
        for (input, expected, tag) in [
            ("$(A)", "80", Tag::Int),
            ("x$(A)y", "x80y", Tag::Str),
            ("$$(A)", "$(A)", Tag::Str),
            ("$(B) $(", "$(B) $(", Tag::Str),
            ("$x$", "$x$", Tag::Str),
        ] {
            assert_eq!(
                expand(input, &values),
                (expected.to_owned(), tag),
                "{input}"
            );
        }
    }
}
