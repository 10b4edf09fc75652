//! Properties that hold for any input: nothing panics, sets are sets, a second apply changes nothing.

use std::sync::Arc;

use objects::decode::{Rules, decode};
use objects::managed::{Managed, empty_object};
use objects::patch::{create_merge_patch, json_patch, merge_patch, strategic};
use objects::quantity::Quantity;
use objects::schema::builtin::builtin;
use objects::schema::{Schema, openapi};
use objects::smd::{
    Duplicates, FieldSet, IdentityConverter, Managers, PathElement, Typed, Updater, values_equal,
};
use objects::{Gvk, Map, Value, json};
use proptest::prelude::*;

/// Any JSON value, with the words that schemas and patches give a meaning.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((word(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn word() -> impl Strategy<Value = String> {
    const WORDS: [&str; 26] = [
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "labels",
        "annotations",
        "finalizers",
        "spec",
        "replicas",
        "template",
        "containers",
        "ports",
        "containerPort",
        "protocol",
        "env",
        "resources",
        "limits",
        "cpu",
        "$patch",
        "delete",
        "replace",
        "$retainKeys",
        "$setElementOrder/containers",
        "$deleteFromPrimitiveList/finalizers",
        "f:a",
        "k:{\"name\":\"a\"}",
    ];
    prop_oneof![
        prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned),
        "\\PC{0,6}"
    ]
}

fn any_map() -> impl Strategy<Value = Map> {
    prop::collection::vec((word(), any_value()), 0..6)
        .prop_map(|entries| entries.into_iter().collect())
}

/// Objects with a keyed list, a set and plain maps, in the schema of [`list_schema`].
fn list_object() -> impl Strategy<Value = Value> {
    let item = (0..4_u8, prop::option::of(0..3_u8)).prop_map(|(name, value)| {
        let mut item = json!({"name": format!("n{name}")});
        if let Some(value) = value {
            item["value"] = value.into();
        }
        item
    });
    let unique = |items: Vec<Value>| {
        let mut seen = std::collections::BTreeSet::new();
        let kept = items
            .into_iter()
            .filter(|i| seen.insert(i.to_string().chars().take(12).collect::<String>()));
        kept.collect::<Vec<Value>>()
    };
    let list = prop::collection::vec(item, 0..4).prop_map(unique);
    let set = prop::collection::btree_set(0..5_u8, 0..4);
    let map = prop::collection::btree_map("[ab]", 0..3_u8, 0..3);
    (list, set, map).prop_map(|(list, set, map)| json!({"list": list, "set": set, "map": map}))
}

fn list_schema() -> (Arc<Schema>, objects::schema::TypeId) {
    let spec = json!({"type": "object", "properties": {
        "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "value": {"type": "integer"}}}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    }});
    let schema = openapi::load_components([("Object", &spec)]);
    let ty = schema.named("Object").unwrap();
    (Arc::new(schema), ty)
}

fn deployment() -> objects::schema::TypeId {
    let gvk = Gvk::new("apps", "v1", "Deployment");
    builtin().kind(&gvk).unwrap()
}

proptest! {
    #[test]
    fn field_set_text_never_panics_and_round_trips(text in "\\PC{0,60}", value in any_value()) {
        let _ = FieldSet::from_json(&text);
        let _ = PathElement::parse(&text);
        let _ = Managed::decode(&value);
        if let Ok(set) = FieldSet::from_value(&value) {
            let again = FieldSet::from_json(&set.to_json()).unwrap();
            prop_assert_eq!(&again, &set);
            prop_assert_eq!(FieldSet::from_value(&set.to_value()).unwrap(), set);
        }
    }

    #[test]
    fn sets_behave_like_sets(a in any_value(), b in any_value()) {
        let (a, b) = (objects::smd::set_from_value(&a), objects::smd::set_from_value(&b));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a);
    }

    #[test]
    fn typed_operations_never_panic(left in any_map(), right in any_map()) {
        let typed = |map: &Map| Typed::new_unchecked(builtin(), deployment(), Value::Object(map.clone()));
        let (left, right) = (typed(&left), typed(&right));
        let set = left.to_field_set();
        let _ = left.merge(&right);
        let _ = left.compare(&right);
        let _ = left.remove_items(&right.to_field_set());
        let _ = left.extract_items_with_keys(&set);
        let _ = objects::smd::reconcile_field_set(&set, builtin(), deployment());
    }

    #[test]
    fn patches_never_panic(target in any_map(), patch in any_map(), operations in any_value()) {
        let schema = builtin();
        let ty = Some(deployment());
        let _ = strategic::apply(target.clone(), patch.clone(), schema, ty);
        let _ = strategic::two_way(&target, &patch, schema, ty);
        let _ = strategic::three_way(&patch, &target, &patch, schema, ty);
        let mut value = Value::Object(target.clone());
        let _ = json_patch(&mut value, &operations);
        merge_patch(&mut value, &Value::Object(patch));
    }

    #[test]
    fn json_patch_paths_never_panic(target in any_value(), op in "add|remove|replace|move|copy|test",
                                    path in "(/([a-c]|-?[0-9]|-|~0|~1|)){0,4}", from in "(/[a-c0-9-]){0,3}") {
        let mut target = target;
        let _ = json_patch(&mut target, &json!([{"op": op, "path": path, "from": from, "value": 1}]));
    }

    #[test]
    fn a_merge_patch_leads_to_the_new_value(old in list_object(), new in list_object()) {
        let patch = create_merge_patch(&old, &new);
        let mut actual = old;
        merge_patch(&mut actual, &patch);
        prop_assert_eq!(actual, new);
    }

    #[test]
    fn decoding_never_panics(object in any_map()) {
        for rules in [Rules::Builtin, Rules::Custom] {
            let mut object = object.clone();
            let _ = decode(builtin(), deployment(), &mut object, rules);
            objects::decode::drop_empty(builtin(), deployment(), &mut object);
        }
    }

    #[test]
    fn quantities_keep_their_amount(text in "[+-]?[0-9]{0,9}\\.?[0-9]{0,4}(m|k|Ki|Mi|M|e3|E|)") {
        if let Ok(quantity) = Quantity::parse(&text) {
            let again = Quantity::parse(&quantity.to_string()).unwrap();
            prop_assert!(quantity.compare(&again).is_eq(), "{text} became {quantity}");
            prop_assert_eq!(again.to_string(), quantity.to_string());
        }
    }

    #[test]
    fn a_second_apply_changes_nothing(live in list_object(), config in list_object()) {
        let (schema, ty) = list_schema();
        let typed = |value: &Value| Typed::new(&schema, ty, value.clone(), Duplicates::Refused).unwrap();
        let updater = Updater::new(&IdentityConverter);
        let empty = Typed::new_unchecked(&schema, ty, Value::Null);
        let managers = updater.update(&empty, &typed(&live), "v1", Managers::new(), "creator").unwrap();
        let first = updater.apply(&typed(&live), &typed(&config), "v1", managers, "a", true).unwrap();
        let object = first.object.unwrap();
        let second = updater.apply(&object, &typed(&config), "v1", first.managers.clone(), "a", false).unwrap();
        prop_assert!(values_equal(
            object.value.as_deref().unwrap(),
            second.object.unwrap().value.as_deref().unwrap(),
        ));
        prop_assert_eq!(second.managers, first.managers);
    }

    #[test]
    fn what_was_applied_is_there_and_given_up_fields_go(first in list_object(), second in list_object()) {
        let (schema, ty) = list_schema();
        let typed = |value: &Value| Typed::new(&schema, ty, value.clone(), Duplicates::Refused).unwrap();
        let updater = Updater::new(&IdentityConverter);
        let empty = Typed::new_unchecked(&schema, ty, Value::Null);
        let one = updater.apply(&empty, &typed(&first), "v1", Managers::new(), "a", false).unwrap();
        let two = updater
            .apply(&one.object.unwrap(), &typed(&second), "v1", one.managers, "a", false)
            .unwrap();
        // A single manager ends with exactly what it applied last, but for the emptied containers.
        let left = two.object.unwrap().to_field_set();
        let wanted = typed(&second).to_field_set();
        prop_assert!(wanted.leaves().difference(&left).is_empty());
        prop_assert!(left.leaves().difference(&wanted.union(&typed(&first).to_field_set())).is_empty());
    }
}

#[test]
fn empty_objects_of_all_kinds_are_bounded() {
    for (gvk, ty) in builtin().kinds() {
        let size = empty_object(builtin(), ty).to_string().len();
        assert!(size < 8192, "{gvk}: {size}");
    }
}
