//! Renders that are kept: the same chart, values and facts give the same release without rendering again.
//!
//! A render that asked for the time, for randomness or for objects of the cluster is never kept. The cache is
//! bounded by the bytes of what it holds; what was not used for longest leaves first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use gotemplate::{Map, Value};
use sha2::{Digest, Sha256};

use crate::Version;
use crate::action::{ActionError, Options, Rendered};
use crate::functions::World;

/// What a render depends on besides the world.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Digest of the chart's archive or tree; the same text has to mean the same files.
    pub chart_digest: &'a str,
    /// Digest of the user's values, such as [`values_digest`] gives.
    pub values_digest: &'a str,
    /// Digest of whatever changes the render afterwards; empty where nothing does.
    pub post_render_digest: &'a str,
    /// Release, capabilities and switches.
    pub options: &'a Options,
}

/// The name under which a render is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RenderKey([u8; 32]);

impl RenderKey {
    /// Makes the name of these inputs.
    pub fn new(inputs: &Inputs<'_>) -> Self {
        let mut hash = Sha256::new();
        let options = inputs.options;
        let capabilities = &options.capabilities;
        let kube = &capabilities.kube_version;
        for text in [
            inputs.chart_digest,
            inputs.values_digest,
            inputs.post_render_digest,
            &options.release.name,
            &options.release.namespace,
            &kube.version,
            &kube.normalized,
        ] {
            add_text(&mut hash, text.as_bytes());
        }
        hash.update(options.release.revision.to_le_bytes());
        hash.update([
            u8::from(options.release.is_upgrade),
            u8::from(options.include_crds),
            u8::from(options.skip_schema),
            u8::from(options.sub_notes),
            u8::from(options.strict),
            u8::from(capabilities.helm == Version::V3),
        ]);
        for version in &capabilities.api_versions {
            add_text(&mut hash, version.as_bytes());
        }
        Self(hash.finalize().into())
    }
}

/// Digest of values, dynamic types included, in hexadecimal.
pub fn values_digest(values: &Map) -> String {
    let mut hash = Sha256::new();
    add_map(&mut hash, values);
    hex::encode(hash.finalize())
}

fn add_text(hash: &mut Sha256, text: &[u8]) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

fn add_map(hash: &mut Sha256, map: &Map) {
    let entries = map.read();
    hash.update([b'{']);
    hash.update((entries.len() as u64).to_le_bytes());
    for (key, value) in entries.iter() {
        add_text(hash, key);
        add_value(hash, value);
    }
}

fn add_value(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Map(map) => add_map(hash, map),
        Value::List(list) => {
            hash.update([b'[']);
            hash.update((list.items().len() as u64).to_le_bytes());
            list.items().iter().for_each(|item| add_value(hash, item));
        }
        Value::Text(text) => {
            hash.update([b's']);
            add_text(hash, text);
        }
        Value::Float(number) => {
            hash.update([b'f']);
            hash.update(number.to_bits().to_le_bytes());
        }
        // What else values hold prints differently where it differs.
        other => {
            add_text(hash, other.type_name().as_bytes());
            add_text(hash, &gotemplate::strval(other));
        }
    }
}

/// Renders by key, within a budget of bytes. Shared by reference between threads.
#[derive(Debug)]
pub struct RenderCache {
    budget: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    renders: HashMap<RenderKey, Held>,
    /// Keys by the time of their last use.
    uses: BTreeMap<u64, RenderKey>,
    clock: u64,
    bytes: usize,
    /// Files of charts by the address of the first: how many renders share them, and their bytes.
    charts: HashMap<usize, (usize, usize)>,
}

#[derive(Debug)]
struct Held {
    rendered: Arc<Rendered>,
    used: u64,
    bytes: usize,
}

impl RenderCache {
    /// An empty cache that holds at most so many bytes; none turns it off.
    pub fn new(budget: usize) -> Self {
        Self {
            budget,
            kept: Mutex::default(),
        }
    }

    /// Gives the kept render of that key, or makes it and keeps it where it depends on nothing but the key.
    ///
    /// `world` is the one that `render` uses; it has to be fresh, because it notes what it was asked for.
    ///
    /// # Errors
    /// The render fails; failures are not kept.
    pub fn get_or_render(
        &self,
        key: RenderKey,
        world: &World,
        render: impl FnOnce() -> Result<Rendered, ActionError>,
    ) -> Result<Arc<Rendered>, ActionError> {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        let rendered = Arc::new(render()?);
        if !world.was_asked() {
            self.keep(key, &rendered);
        }
        Ok(rendered)
    }

    /// The kept render of that key.
    pub fn get(&self, key: RenderKey) -> Option<Arc<Rendered>> {
        let mut guard = self.lock();
        let kept = &mut *guard;
        let held = kept.renders.get_mut(&key)?;
        kept.clock += 1;
        kept.uses.remove(&held.used);
        kept.uses.insert(kept.clock, key);
        held.used = kept.clock;
        Some(held.rendered.clone())
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Number of renders that are held.
    pub fn len(&self) -> usize {
        self.lock().renders.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keep(&self, key: RenderKey, rendered: &Arc<Rendered>) {
        let bytes = weight(rendered);
        if bytes + files(rendered).map_or(0, |(_, bytes)| bytes) > self.budget {
            return;
        }
        let mut kept = self.lock();
        kept.remove(key);
        kept.clock += 1;
        let used = kept.clock;
        kept.uses.insert(used, key);
        kept.bytes += bytes;
        if let Some((address, size)) = files(rendered) {
            let shared = kept.charts.entry(address).or_insert((0, size));
            shared.0 += 1;
            if shared.0 == 1 {
                kept.bytes += size;
            }
        }
        let rendered = rendered.clone();
        kept.renders.insert(
            key,
            Held {
                rendered,
                used,
                bytes,
            },
        );
        while kept.bytes > self.budget {
            let Some(oldest) = kept.uses.first_key_value().map(|(_, key)| *key) else {
                break;
            };
            kept.remove(oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Kept {
    fn remove(&mut self, key: RenderKey) {
        let Some(held) = self.renders.remove(&key) else {
            return;
        };
        self.uses.remove(&held.used);
        self.bytes -= held.bytes;
        let Some((address, size)) = files(&held.rendered) else {
            return;
        };
        if let Some(shared) = self.charts.get_mut(&address) {
            shared.0 -= 1;
            if shared.0 == 0 {
                self.charts.remove(&address);
                self.bytes -= size;
            }
        }
    }
}

/// Bytes of everything but the chart's files.
fn weight(rendered: &Rendered) -> usize {
    /// Bytes of a struct with its allocations, roughly.
    const EACH: usize = 256;
    let hooks = rendered.hooks.iter().map(|hook| hook.manifest.len() + EACH);
    let manifests = rendered
        .manifests
        .iter()
        .map(|one| one.content.len() + EACH);
    let values = rendered
        .values
        .as_ref()
        .map_or(0, |map| tree_bytes(&Value::Map(map.clone())));
    let chart = rendered
        .chart
        .as_ref()
        .map_or(0, |chart| tree_bytes(&Value::Map(chart.values.clone())));
    let texts = rendered.manifest.len() + rendered.notes.len();
    hooks.sum::<usize>() + manifests.sum::<usize>() + values + chart + texts + 4 * EACH
}

fn tree_bytes(value: &Value) -> usize {
    const EACH: usize = 64;
    EACH + match value {
        Value::Map(map) => {
            let entries = map.read();
            let sizes = entries
                .iter()
                .map(|(key, value)| key.len() + EACH + tree_bytes(value));
            sizes.sum()
        }
        Value::List(list) => list.items().iter().map(tree_bytes).sum(),
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

/// What tells the files of one loaded chart from those of another, and their bytes.
fn files(rendered: &Rendered) -> Option<(usize, usize)> {
    let raw = &rendered.chart.as_ref()?.raw;
    let first = raw.first()?.data.as_ptr().addr();
    Some((first, raw.iter().map(|file| file.data.len()).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::Capabilities;
    use crate::chart::{Chart, File};
    use crate::context::Release;
    use crate::load::load_files;

    fn chart(template: &str) -> Chart {
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            ("templates/a.yaml", template),
        ];
        let file = |(name, text): (&str, &str)| File {
            name: name.to_owned(),
            data: text.as_bytes().into(),
        };
        load_files(files.into_iter().map(file).collect(), Version::V4).unwrap()
    }

    fn options(name: &str) -> Options {
        Options {
            release: Release {
                name: name.to_owned(),
                namespace: "default".to_owned(),
                revision: 1,
                is_upgrade: false,
            },
            capabilities: Capabilities::offline(Version::V4),
            include_crds: false,
            skip_schema: false,
            sub_notes: false,
            strict: false,
        }
    }

    fn render(cache: &RenderCache, chart: &Chart, name: &str) -> Arc<Rendered> {
        let (world, values) = (World::offline(0, 0, |_| {}), Map::new(Default::default()));
        let options = options(name);
        let key = RenderKey::new(&Inputs {
            chart_digest: &format!("{:?}", chart.templates),
            values_digest: &values_digest(&values),
            post_render_digest: "",
            options: &options,
        });
        let render = || crate::action::render_release(chart.clone(), &values, &options, &world);
        cache.get_or_render(key, &world, render).unwrap()
    }

    fn check_kept(template: &str, expected: bool) {
        let (cache, chart) = (RenderCache::new(1 << 20), chart(template));
        let first = render(&cache, &chart, "r");
        let second = render(&cache, &chart, "r");
        assert_eq!(Arc::ptr_eq(&first, &second), expected, "{template}");
        assert!(!Arc::ptr_eq(&first, &render(&cache, &chart, "other")));
    }

    #[test]
    fn only_what_depends_on_nothing_else_is_kept() {
        check_kept("kind: {{ .Release.Name }}\n", true);
        check_kept(
            "kind: {{ lookup \"v1\" \"Secret\" \"a\" \"b\" | len }}\n",
            true,
        );
        check_kept("kind: {{ randAlpha 5 }}\n", false);
        check_kept("kind: A{{ now | unixEpoch }}\n", false);
        check_kept("kind: A{{ date \"2006\" 1.5 }}\n", false);
        check_kept("kind: {{ uuidv4 }}\n", false);
        check_kept("kind: {{ shuffle \"abc\" }}\n", false);
    }

    #[test]
    fn the_budget_holds() {
        let chart = chart("kind: {{ .Release.Name }}\n");
        let cache = RenderCache::new(4_000);
        for name in ["a", "b", "c", "d", "a"] {
            render(&cache, &chart, name);
            assert!(cache.bytes() <= 4_000 && cache.len() < 4);
        }
        let none = RenderCache::new(0);
        render(&none, &chart, "a");
        assert!(none.is_empty());
    }

    #[test]
    fn digests_tell_values_apart() {
        let digest = |value: Value| values_digest(&Map::new([("a".into(), value)].into()));
        let values = [
            Value::Int64(1),
            Value::Float(1.0),
            Value::text("1"),
            Value::Bool(true),
            Value::Nil,
            Value::list(vec![Value::Float(1.0)]),
            Value::map([("a", Value::Nil)]),
        ];
        let digests: std::collections::BTreeSet<String> = values.into_iter().map(digest).collect();
        assert_eq!(digests.len(), 7);
    }
}
