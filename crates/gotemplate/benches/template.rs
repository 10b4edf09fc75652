//! Parser and evaluator: `cargo bench -p gotemplate`.

use std::sync::Arc;

use divan::{Bencher, black_box, counter::BytesCount};
use gotemplate::{FixedHost, MissingKey, Registry, Set, Text, Value, sprig};

fn main() {
    divan::main();
}

/// Definitions and calls as charts have them, that many times.
fn text(count: usize) -> Text {
    let one = |index: usize| {
        format!(
            "{{{{- define \"labels.{index}\" -}}}}\napp: {{{{ .name | trunc 63 | trimSuffix \"-\" | quote }}}}\n{{{{- end }}}}\n\
             kind: Service\nmetadata:\n  labels:\n    {{{{- template \"labels.{index}\" . }}}}\nspec:\n  ports:\n\
             {{{{- range $index, $port := .ports }}}}\n  {{{{- if and $port.enabled (gt $port.number 0.0) }}}}\n  - port: {{{{ $port.number }}}}\n\
             {{{{- end }}}}\n{{{{- end }}}}\n"
        )
    };
    Text::from((0..count).map(one).collect::<String>())
}

fn parsed(text: &Text) -> Set {
    let mut registry = Registry::new();
    registry.add(&sprig::functions());
    let mut set = Set::new("bench", Arc::new(registry), MissingKey::Zero);
    set.parse("text", text).expect("the text parses");
    set
}

#[divan::bench(args = [1, 100])]
fn parse(bencher: Bencher, count: usize) {
    let text = text(count);
    let bytes = text.len();
    bencher
        .counter(BytesCount::new(bytes))
        .bench(|| parsed(black_box(&text)));
}

#[divan::bench(args = [1, 100])]
fn run(bencher: Bencher, count: usize) {
    let set = Arc::new(parsed(&text(count)));
    let port = |number| {
        Value::map([
            ("enabled", Value::Bool(true)),
            ("number", Value::Float(number)),
        ])
    };
    let ports = Value::list(vec![port(80.0), port(443.0)]);
    let data = Value::map([("name", Value::text("application")), ("ports", ports)]);
    let host = FixedHost::default();
    bencher.bench(|| set.execute("text", black_box(&data), &host));
}
