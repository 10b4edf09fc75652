//! `cargo xtask bench kustomize`: the four inputs of the goals, against the kustomize program where it is found.
//!
//! CPU time is what the kernel counts for child processes, in hundredths of a second, summed over enough
//! runs; the peak of memory comes from `time -f %M` where that program is installed. Wall time is not
//! reported: it says more about the neighbours than about the program.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{Arguments, process};

/// Kernel clock ticks per second, as `/proc` counts on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;
/// Objects beyond which the reference program does not finish in reasonable time.
const REFERENCE_OBJECTS_MAX: usize = 10_000;

/// One input: what it is, how large, and what was promised.
struct Input {
    name: &'static str,
    objects: usize,
    goal: &'static str,
    runs: usize,
    write: fn(&Path) -> Result<()>,
}

const INPUTS: &[Input] = &[
    Input {
        name: "one small overlay, whole process",
        objects: 3,
        goal: "≤ 0.006 s",
        runs: 100,
        write: |dir| small(dir),
    },
    Input {
        name: "1,000 Deployments + 1,000 ConfigMaps; namespace, prefix, labels, images",
        objects: 2_000,
        goal: "≤ 0.12 s",
        runs: 10,
        write: |dir| pairs(dir, 1_000),
    },
    Input {
        name: "1,000 Deployments + Services + ConfigMaps; references, 3 overlays, patches",
        objects: 3_000,
        goal: "≤ 0.4 s",
        runs: 10,
        write: |dir| references(dir, 1_000),
    },
    Input {
        name: "100,002 objects as in the line above",
        objects: 100_002,
        goal: "≤ 110 × the line of 1,000 objects",
        runs: 1,
        write: |dir| references(dir, 33_334),
    },
];

/// What one program needed for one input.
struct Cost {
    cpu_seconds: f64,
    peak_kib: Option<u64>,
}

/// Writes the inputs, runs both programs and writes `docs/bench/kustomize.md`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = crate::workspace_root();
    let ours = process::release_build("flux")?;
    let reference = arguments.reference.clone().or_else(on_path);
    let inputs = std::env::temp_dir().join(format!("ferroflux-bench-{}", std::process::id()));
    let outcome = report(&inputs, &ours, reference.as_deref());
    fs::remove_dir_all(&inputs).ok();
    let text = outcome?;
    let path = root.join("docs/bench/kustomize.md");
    fs::create_dir_all(path.parent().context("the report has a folder")?)?;
    fs::write(&path, &text)?;
    println!("{text}");
    Ok(())
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join("kustomize"));
    found.into_iter().find(|program| program.is_file())
}

fn report(inputs: &Path, ours: &Path, reference: Option<&Path>) -> Result<String> {
    let mut text = String::from(
        "# kustomize: CPU time and memory\n\nWritten by `cargo xtask bench kustomize [--reference PATH]`: CPU seconds \
         (user and system) and peak memory of\nwhole processes, `flux kustomize build` against `kustomize build`.\n\n\
         | Input | size | goal | flux | kustomize | ratio | flux memory | kustomize memory | output |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let mut costs = Vec::new();
    for (index, input) in INPUTS.iter().enumerate() {
        let dir = inputs.join(index.to_string());
        (input.write)(&dir)?;
        let (cost, text_of_ours) = measure(ours, &["kustomize", "build"], &dir, input.runs)?;
        let theirs = match reference {
            Some(program) if input.objects <= REFERENCE_OBJECTS_MAX => {
                let runs = if input.objects < 10 { 10 } else { 1 };
                Some(measure(program, &["build"], &dir, runs)?)
            }
            _ => None,
        };
        let same = match &theirs {
            Some((_, output)) if *output == text_of_ours => "equal",
            Some(_) => "DIFFERENT",
            None => "–",
        };
        let theirs = theirs.map(|(cost, _)| cost);
        row(&mut text, input, &dir, &cost, theirs.as_ref(), same)?;
        costs.push((cost, size_of(&dir)? / 1024));
    }
    scaling(&mut text, &costs)?;
    Ok(text)
}

/// Says how the last input, the largest, relates to the one before it, and to its own size.
fn scaling(text: &mut String, costs: &[(Cost, u64)]) -> Result<()> {
    let [.., (thousand, _), (largest, input_kib)] = costs else {
        return Ok(());
    };
    let times = largest.cpu_seconds / thousand.cpu_seconds.max(1e-4);
    write!(
        text,
        "\nThe largest input costs {times:.0} times the CPU time of the line above it (goal: at most 110 times)"
    )?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    if let Some(kib) = largest.peak_kib {
        let ratio = kib as f64 / (*input_kib).max(1) as f64;
        write!(
            text,
            " and at its peak {ratio:.2} KB of memory, the\nprogram itself included, per KB of input (goal: at most 2)"
        )?;
    }
    writeln!(text, ".")?;
    Ok(())
}

fn row(
    text: &mut String,
    input: &Input,
    dir: &Path,
    ours: &Cost,
    theirs: Option<&Cost>,
    same: &str,
) -> Result<()> {
    let memory = |cost: &Cost| {
        cost.peak_kib
            .map_or("–".to_owned(), |kib| format!("{} MiB", kib / 1024))
    };
    let (seconds, ratio, their_memory) = match theirs {
        None => ("–".to_owned(), "–".to_owned(), "–".to_owned()),
        Some(cost) => (
            format!("{:.3} s", cost.cpu_seconds),
            format!("{:.0} ×", cost.cpu_seconds / ours.cpu_seconds.max(1e-4)),
            memory(cost),
        ),
    };
    writeln!(
        text,
        "| {} | {} KiB | {} | {:.4} s | {seconds} | {ratio} | {} | {their_memory} | {same} |",
        input.name,
        size_of(dir)? / 1024,
        input.goal,
        ours.cpu_seconds,
        memory(ours),
    )?;
    Ok(())
}

fn size_of(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for item in fs::read_dir(dir)? {
        let item = item?;
        let metadata = item.metadata()?;
        bytes += if metadata.is_dir() {
            size_of(&item.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

/// Runs a program `runs` times; a single run gives time, memory and output at once, because the reference
/// program needs minutes for one.
fn measure(program: &Path, words: &[&str], dir: &Path, runs: usize) -> Result<(Cost, Vec<u8>)> {
    let before = children_seconds()?;
    let (mut peak_kib, mut text) = peak(program, words, dir)?;
    let mut cpu_seconds = children_seconds()? - before;
    if runs > 1 {
        let before = children_seconds()?;
        for _ in 0..runs {
            text = output(program, words, dir)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few runs")]
        let each = (children_seconds()? - before) / runs as f64;
        cpu_seconds = each;
    }
    if text.is_empty() {
        peak_kib = None;
        text = output(program, words, dir)?;
    }
    Ok((
        Cost {
            cpu_seconds,
            peak_kib,
        },
        text,
    ))
}

fn build_command(program: &Path, words: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(words)
        .arg("--load-restrictor=LoadRestrictionsNone")
        .arg(dir);
    command
}

fn output(program: &Path, words: &[&str], dir: &Path) -> Result<Vec<u8>> {
    let done = build_command(program, words, dir)
        .stderr(Stdio::null())
        .output()?;
    if !done.status.success() {
        bail!("{} failed", program.display());
    }
    Ok(done.stdout)
}

/// Reads the user and system time of all children that have ended.
pub(super) fn children_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("CPU time is read from /proc")?;
    let (_, fields) = stat
        .rsplit_once(") ")
        .context("/proc/self/stat has a name")?;
    // Fields 16 and 17 of the line; the split left the third one first.
    let ticks = fields.split(' ').skip(13).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

/// Runs under `time`, where it is installed: peak memory and output.
fn peak(program: &Path, words: &[&str], dir: &Path) -> Result<(Option<u64>, Vec<u8>)> {
    let time = Path::new("/usr/bin/time");
    if !time.exists() {
        return Ok((None, output(program, words, dir)?));
    }
    let mut command = Command::new(time);
    command.args(["-f", "%M"]).arg(program).args(words);
    command
        .arg("--load-restrictor=LoadRestrictionsNone")
        .arg(dir);
    let done = command.output()?;
    let last = String::from_utf8_lossy(&done.stderr)
        .lines()
        .last()
        .map(str::to_owned);
    Ok((last.and_then(|line| line.trim().parse().ok()), done.stdout))
}

pub(super) fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file stands in a folder")?)?;
    Ok(fs::write(path, text)?)
}

/// A base with a generator, and an overlay with labels, an image and a patch.
fn small(dir: &Path) -> Result<()> {
    write_file(&dir.join("base/deployment.yaml"), &deployment(0, true))?;
    write_file(&dir.join("base/service.yaml"), &service(0))?;
    write_file(
        &dir.join("base/kustomization.yaml"),
        "resources:\n- deployment.yaml\n- service.yaml\nconfigMapGenerator:\n- name: config-0\n  literals:\n  - mode=dev\n",
    )?;
    let overlay = "namespace: prod\nnamePrefix: prod-\nresources:\n- base\nlabels:\n- pairs:\n    env: prod\n  includeSelectors: true\n\
                   images:\n- name: registry.example.com/team/app\n  newTag: 2.0.0\n\
                   patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata:\n      name: app-0\n    spec:\n      replicas: 3\n";
    write_file(&dir.join("kustomization.yaml"), overlay)
}

fn pairs(dir: &Path, count: usize) -> Result<()> {
    let objects = (0..count).flat_map(|i| [deployment(i, false), config_map(i)]);
    write_file(
        &dir.join("all.yaml"),
        &objects.collect::<Vec<_>>().join("---\n"),
    )?;
    let overlay = "namespace: prod\nnamePrefix: prod-\nresources:\n- all.yaml\ncommonLabels:\n  env: prod\n\
                   images:\n- name: registry.example.com/team/app\n  newTag: 2.0.0\n";
    write_file(&dir.join("kustomization.yaml"), overlay)
}

fn references(dir: &Path, count: usize) -> Result<()> {
    let objects = (0..count).flat_map(|i| [deployment(i, true), service(i), config_map(i)]);
    write_file(
        &dir.join("base/all.yaml"),
        &objects.collect::<Vec<_>>().join("---\n"),
    )?;
    write_file(
        &dir.join("base/kustomization.yaml"),
        "resources:\n- all.yaml\n",
    )?;
    write_file(
        &dir.join("one/kustomization.yaml"),
        "namePrefix: a-\nresources:\n- ../base\nlabels:\n- pairs:\n    layer: one\n",
    )?;
    write_file(
        &dir.join("two/kustomization.yaml"),
        "nameSuffix: -b\nnamespace: prod\nresources:\n- ../one\nimages:\n- name: registry.example.com/team/app\n  newTag: 2.0.0\n",
    )?;
    let overlay = "namePrefix: c-\nresources:\n- two\npatches:\n\
                   - target:\n    kind: Deployment\n  patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata:\n      name: any\n    \
                   spec:\n      template:\n        spec:\n          containers:\n          - name: main\n            resources:\n              \
                   limits:\n                memory: 128Mi\n\
                   - target:\n    kind: Service\n  patch: |-\n    - op: add\n      path: /spec/type\n      value: ClusterIP\n";
    write_file(&dir.join("kustomization.yaml"), overlay)
}

fn deployment(index: usize, references: bool) -> String {
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{index}\n  labels:\n    app: app-{index}\nspec:\n  replicas: 2\n  \
         selector:\n    matchLabels:\n      app: app-{index}\n  template:\n    metadata:\n      labels:\n        app: app-{index}\n    \
         spec:\n      serviceAccountName: default\n      containers:\n      - name: main\n        \
         image: registry.example.com/team/app:1.0.0\n        ports:\n        - containerPort: 8080\n        env:\n        \
         - name: LOG_LEVEL\n          value: info\n"
    );
    if references {
        text.push_str(&format!(
            "        - name: MODE\n          valueFrom:\n            configMapKeyRef:\n              name: config-{index}\n              \
             key: mode\n        envFrom:\n        - configMapRef:\n            name: config-{index}\n      volumes:\n      \
             - name: config\n        configMap:\n          name: config-{index}\n"
        ));
    }
    text
}

fn service(index: usize) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: app-{index}\nspec:\n  selector:\n    app: app-{index}\n  ports:\n  \
         - port: 80\n    targetPort: 8080\n"
    )
}

fn config_map(index: usize) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config-{index}\ndata:\n  mode: production\n  settings.yaml: |\n    \
         server:\n      port: 8080\n      timeout: 30s\n"
    )
}
