//! Differences between two objects for people to read, in the form that upstream's `diff` prints.
//!
//! Objects become trees of nodes ([`node`]), trees are compared ([`compare`]), the differences are printed path by
//! path ([`report`]). Certificates within text are compared as text.

mod compare;
mod node;
mod report;

use objects::Object;

/// Reports what changes from one object to another; ends with an empty line.
pub fn report(from: &Object, to: &Object) -> String {
    let from = node::Node::of(&from.clone().into_value());
    let to = node::Node::of(&to.clone().into_value());
    report::render(&compare::compare(&from, &to))
}

#[cfg(test)]
mod tests {
    use super::report;
    use objects::{Object, Value, json};

    fn check(from: Value, to: Value, expected: &str) {
        let object = |value| Object::from_value(value).unwrap();
        assert_eq!(report(&object(from), &object(to)), expected);
    }

    #[test]
    fn values_are_shown_below_their_path() {
        check(
            json!({"spec": {"ports": [{"name": "http", "port": 9899}, {"name": "grpc", "port": 1}]}}),
            json!({"spec": {"ports": [{"name": "http", "port": 9898}, {"name": "grpc", "port": 1}]}}),
            "\nspec.ports.http.port\n± value change\n- 9899\n+ 9898\n\n",
        );
    }

    #[test]
    fn additions_are_indented_and_stand_beside_removals() {
        check(
            json!({"metadata": {}}),
            json!({"metadata": {"labels": {"a": "b c", "d": "e"}}}),
            "\nmetadata\n+ one map entry added:\n  labels:\n    a: \"b c\"\n    d: e\n\n",
        );
        check(
            json!({"data": {"drift-key": "*****"}}),
            json!({"data": {"token": "*****"}}),
            "\ndata\n- one map entry removed:   + one map entry added:\ndrift-key: \"*****\"           token: \"*****\"\n\n",
        );
    }

    #[test]
    fn types_orders_and_lines_are_told() {
        check(
            json!({"a": "1"}),
            json!({"a": 1}),
            "\na\n± type change from string to int\n- 1\n+ 1\n\n",
        );
        check(
            json!({"a": ["x", "y"]}),
            json!({"a": ["y", "x"]}),
            "\na\n⇆ order changed\n- x, y\n+ y, x\n\n",
        );
        check(
            json!({"a": "one\ntwo\nthree\n"}),
            json!({"a": "one\n2\nthree\n"}),
            "\na\n± value change in multiline text (one insert, one deletion)\n- two\n+ 2\n\n\n",
        );
    }
}
