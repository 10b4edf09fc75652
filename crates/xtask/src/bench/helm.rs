//! `cargo xtask bench helm`: charts of our own and those of the conformance data, against the helm program.
//!
//! CPU time is what the kernel counts for child processes, in hundredths of a second, summed over enough runs;
//! the peak of memory comes from `time -f %M` where that program is installed. What happens inside one process
//! (a kept render, a large index) is measured by the crate's own bench `figures`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::kustomize::{children_seconds, write_file};
use super::{Arguments, process};

/// One chart of our own: its name, its goal and its writer.
struct Input {
    name: &'static str,
    goal: &'static str,
    write: fn(&Path) -> Result<()>,
}

const INPUTS: &[Input] = &[
    Input {
        name: "small chart: Deployment, Service, ConfigMap",
        goal: "≤ 0.010 s",
        write: |dir| small(dir, "small"),
    },
    Input {
        name: "500 values, each through `tpl`",
        goal: "half of the next",
        write: |dir| templated(dir, 500),
    },
    Input {
        name: "1,000 values, each through `tpl`",
        goal: "≤ 1 s",
        write: |dir| templated(dir, 1_000),
    },
    Input {
        name: "umbrella of 100 sub-charts like the small one",
        goal: "≤ 100 × the small one",
        write: |dir| umbrella(dir, 100),
    },
];

/// Writes the inputs, runs both programs and writes `docs/bench/helm.md`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = crate::workspace_root();
    let ours = process::release_build("flux")?;
    let reference = arguments
        .reference
        .clone()
        .or_else(|| process::on_path("helm"));
    let work = std::env::temp_dir().join(format!("ferroflux-bench-helm-{}", std::process::id()));
    let outcome = report(&work, &ours, reference.as_deref());
    fs::remove_dir_all(&work).ok();
    let text = outcome?;
    fs::write(root.join("docs/bench/helm.md"), &text)?;
    println!("{text}");
    Ok(())
}

fn report(work: &Path, ours: &Path, reference: Option<&Path>) -> Result<String> {
    let mut text = String::from(
        "# helm: CPU time and memory\n\nWritten by `cargo xtask bench helm [--reference PATH]`: CPU seconds (user and system) and \
         peak memory of whole\nprocesses, `flux helm template` against `helm template` (v4.2.4), medians of five batches in turns.\n\n\
         | Input | goal | flux | helm | ratio | flux memory | helm memory | output |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (index, input) in INPUTS.iter().enumerate() {
        let dir = work.join(index.to_string());
        (input.write)(&dir)?;
        row(&mut text, input.name, input.goal, &dir, ours, reference)?;
    }
    for chart in real_charts()? {
        let name = chart.file_stem().unwrap_or_default().to_string_lossy();
        // Some render with values of their own only.
        if process::output(ours, &["helm", "template", "r", &chart.to_string_lossy()]).is_ok() {
            row(&mut text, &name, "≥ 10 ×", &chart, ours, reference)?;
        }
    }
    text.push_str("\nThe named charts are those of the conformance data, rendered from their archives with default values;\n`differs` is random text (passwords, names).\n");
    text.push_str("\n## Inside one process\n\n| What | goal | found |\n|---|---|---|\n");
    text.push_str(&inside(&work.join("0"))?);
    Ok(text)
}

/// Runs the figures of the crate itself, optimised, over the small chart.
fn inside(chart: &Path) -> Result<String> {
    let done = crate::cargo()
        .args(["bench", "-q", "-p", "helm", "--bench", "figures", "--"])
        .arg(chart)
        .current_dir(crate::workspace_root())
        .output()
        .context("cargo runs the figures of the crate")?;
    if !done.status.success() {
        bail!("{}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8(done.stdout)?)
}

fn real_charts() -> Result<Vec<PathBuf>> {
    let folder = crate::workspace_root().join("../shared/conformance/helm/real/charts");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut charts: Vec<PathBuf> = Vec::new();
    for item in fs::read_dir(folder)? {
        charts.push(item?.path());
    }
    charts.sort();
    Ok(charts)
}

fn row(
    text: &mut String,
    name: &str,
    goal: &str,
    chart: &Path,
    ours: &Path,
    reference: Option<&Path>,
) -> Result<()> {
    let chart = chart.to_string_lossy();
    let words = ["helm", "template", "r", &chart];
    let mut measured = vec![Measured::new(ours, &words, OUR_RUNS)?];
    if let Some(program) = reference {
        measured.push(Measured::new(program, &words[1..], THEIR_RUNS)?);
    }
    // In turns, so that a busy moment of the machine meets both.
    for _ in 0..BATCHES {
        for one in &mut measured {
            one.batch()?;
        }
    }
    let mut measured = measured.into_iter().map(Measured::finish);
    let (mine, printed) = measured.next().context("nothing was measured")?;
    let theirs = measured.next();
    let memory =
        |kib: Option<u64>| kib.map_or("–".to_owned(), |kib| format!("{} MiB", kib / 1024));
    let [seconds, ratio, their_memory, same] = match &theirs {
        None => ["–"; 4].map(str::to_owned),
        Some((cost, output)) => [
            format!("{:.3} s", cost.cpu_seconds),
            format!("{:.1} ×", cost.cpu_seconds / mine.cpu_seconds.max(1e-4)),
            memory(cost.peak_kib),
            if *output == printed {
                "equal"
            } else {
                "differs"
            }
            .to_owned(),
        ],
    };
    let (cpu, peak) = (mine.cpu_seconds, memory(mine.peak_kib));
    writeln!(
        text,
        "| {name} | {goal} | {cpu:.4} s | {seconds} | {ratio} | {peak} | {their_memory} | {same} |"
    )?;
    Ok(())
}

/// What one program needed for one chart.
struct Cost {
    cpu_seconds: f64,
    peak_kib: Option<u64>,
}

/// Batches whose median counts.
const BATCHES: usize = 5;
/// Runs of one batch: the kernel counts hundredths of a second.
const OUR_RUNS: usize = 40;
const THEIR_RUNS: usize = 8;

/// A program that is run over and over.
struct Measured<'p> {
    program: &'p Path,
    words: &'p [&'p str],
    runs: usize,
    peak_kib: Option<u64>,
    printed: Vec<u8>,
    batches: Vec<f64>,
}

impl<'p> Measured<'p> {
    fn new(program: &'p Path, words: &'p [&'p str], runs: usize) -> Result<Self> {
        let (peak_kib, printed) = process::peak(program, words)?;
        Ok(Self {
            program,
            words,
            runs,
            peak_kib,
            printed,
            batches: Vec::new(),
        })
    }

    fn batch(&mut self) -> Result<()> {
        let before = children_seconds()?;
        for _ in 0..self.runs {
            process::output(self.program, self.words)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few runs")]
        self.batches
            .push((children_seconds()? - before) / self.runs as f64);
        Ok(())
    }

    fn finish(mut self) -> (Cost, Vec<u8>) {
        self.batches.sort_by(f64::total_cmp);
        let cost = Cost {
            cpu_seconds: self.batches[BATCHES / 2],
            peak_kib: self.peak_kib,
        };
        (cost, self.printed)
    }
}

fn small(dir: &Path, name: &str) -> Result<()> {
    write_file(
        &dir.join("Chart.yaml"),
        &format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\nappVersion: 2.0.0\n"),
    )?;
    write_file(
        &dir.join("values.yaml"),
        "replicas: 2\nimage:\n  repository: registry.example.com/app\n  tag: \"\"\nservice:\n  port: 80\nresources:\n  limits:\n    \
         cpu: 500m\n    memory: 128Mi\nconfig:\n  level: info\n  mode: production\n",
    )?;
    let labels = format!(
        "{{{{- define \"{name}.labels\" -}}}}\napp.kubernetes.io/name: {{{{ .Chart.Name }}}}\napp.kubernetes.io/instance: \
         {{{{ .Release.Name }}}}\n{{{{- end }}}}\n"
    );
    write_file(&dir.join("templates/_helpers.tpl"), &labels)?;
    let head = |kind: &str| {
        format!(
            "kind: {kind}\nmetadata:\n  name: {{{{ .Release.Name }}}}-{{{{ .Chart.Name }}}}\n  labels:\n    \
             {{{{- include \"{name}.labels\" . | nindent 4 }}}}\n"
        )
    };
    write_file(
        &dir.join("templates/deployment.yaml"),
        &format!(
            "apiVersion: apps/v1\n{}spec:\n  replicas: {{{{ .Values.replicas }}}}\n  template:\n    spec:\n      containers:\n      \
             - name: main\n        image: \"{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag | default .Chart.AppVersion }}}}\"\n        \
             resources:\n          {{{{- toYaml .Values.resources | nindent 10 }}}}\n",
            head("Deployment")
        ),
    )?;
    write_file(
        &dir.join("templates/service.yaml"),
        &format!(
            "apiVersion: v1\n{}spec:\n  ports:\n  - port: {{{{ .Values.service.port }}}}\n",
            head("Service")
        ),
    )?;
    write_file(
        &dir.join("templates/config.yaml"),
        &format!(
            "apiVersion: v1\n{}data:\n{{{{- range $key, $value := .Values.config }}}}\n  {{{{ $key }}}}: {{{{ $value | quote }}}}\n{{{{- end }}}}\n",
            head("ConfigMap")
        ),
    )
}

fn templated(dir: &Path, count: usize) -> Result<()> {
    write_file(
        &dir.join("Chart.yaml"),
        "apiVersion: v2\nname: templated\nversion: 1.0.0\n",
    )?;
    let mut values = String::from("entries:\n");
    for index in 0..count {
        writeln!(
            values,
            "  key{index:04}: \"{{{{ .Release.Name }}}}-{index} {{{{ include \\\"t.name\\\" . | upper }}}}\""
        )?;
    }
    write_file(&dir.join("values.yaml"), &values)?;
    write_file(
        &dir.join("templates/_t.tpl"),
        "{{- define \"t.name\" }}{{ .Chart.Name }}{{ end }}\n",
    )?;
    write_file(
        &dir.join("templates/config.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n{{- range $key, $value := .Values.entries }}\n  {{ $key }}: \
         {{ tpl $value $ | quote }}\n{{- end }}\n",
    )
}

fn umbrella(dir: &Path, count: usize) -> Result<()> {
    let mut chart = String::from("apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n");
    for index in 0..count {
        let name = format!("part{index:03}");
        writeln!(
            chart,
            "- name: {name}\n  version: 1.0.0\n  repository: \"\""
        )?;
        small(&dir.join("charts").join(&name), &name)?;
    }
    write_file(&dir.join("Chart.yaml"), &chart)
}
