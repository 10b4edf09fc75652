//! Figures of what happens inside one process, as rows of a table: `cargo bench -p helm --bench figures -- CHART`.

#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(clippy::disallowed_methods, reason = "a bench looks at the clock")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use helm::Version;
use helm::action::{Options, render_release};
use helm::cache::{Inputs, RenderCache, RenderKey, values_digest};
use helm::functions::World;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    index()?;
    // Cargo adds `--bench`; without a chart there is nothing to render.
    let chart = std::env::args_os().skip(1).map(PathBuf::from);
    if let Some(chart) = chart.into_iter().find(|path| path.is_dir()) {
        kept(&chart)?;
    }
    Ok(())
}

/// Renders the small chart once and takes the kept render 10,000 times.
fn kept(chart: &Path) -> Outcome<()> {
    const TIMES: u32 = 10_000;
    let tree = filetree::disk::DirectoryTree::open(chart)?;
    let chart = helm::load::load_directory(&tree, "", Version::V4)?;
    let options = Options {
        release: helm::Release {
            name: "r".to_owned(),
            namespace: "default".to_owned(),
            revision: 1,
            is_upgrade: false,
        },
        capabilities: helm::capabilities::Capabilities::offline(Version::V4),
        include_crds: false,
        skip_schema: false,
        sub_notes: false,
        strict: false,
    };
    let (cache, user) = (RenderCache::new(64 << 20), chart.values.clone());
    let started = Instant::now();
    for _ in 0..TIMES {
        let world = World::offline(0, 0, |buffer| buffer.fill(1));
        let values_digest = values_digest(&user);
        let key = RenderKey::new(&Inputs {
            chart_digest: "sha256:0",
            values_digest: &values_digest,
            post_render_digest: "",
            options: &options,
        });
        cache.get_or_render(key, &world, || {
            render_release(chart.clone(), &user, &options, &world)
        })?;
    }
    let each = started.elapsed() / TIMES;
    println!(
        "| a kept render, digest of the values included | ≤ 1 ms | {:.4} ms |",
        each.as_secs_f64() * 1e3
    );
    Ok(())
}

/// Reads and converts an index of 60 MB; the peak of memory is that of this process.
fn index() -> Outcome<()> {
    let path = std::env::temp_dir().join(format!("ferroflux-bench-index-{}", std::process::id()));
    let size = write_index(&path, 60 << 20)?;
    let before = peak_of_this_process()?;
    let started = cpu_seconds()?;
    let (summary, entries) = helm::index::read_index(fs::File::open(&path)?, Some("chart-00005"))?;
    let read = cpu_seconds()? - started;
    let started = cpu_seconds()?;
    helm::index::convert_index(fs::File::open(&path)?, &mut std::io::sink())?;
    let converted = cpu_seconds()? - started;
    let extra = peak_of_this_process()?.saturating_sub(before);
    fs::remove_file(&path).ok();
    println!(
        "| index.yaml of {} MB, {} versions, the {} of one chart taken | ≤ 1.5 s | {read:.2} s of processor time |\n\
         | the same written as JSON | – | {converted:.2} s |\n| extra memory of both | ≤ 32 MiB | {} KiB |",
        size / 1_000_000,
        summary.versions,
        entries.len(),
        extra,
    );
    Ok(())
}

/// User and system time of this process, in the kernel's hundredths of a second.
fn cpu_seconds() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat
        .rsplit_once(") ")
        .ok_or("the kernel names the process")?;
    // Fields 14 and 15 of the line; the split left the third one first.
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

/// Peak of resident memory in KiB.
fn peak_of_this_process() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    Ok(number.ok_or("the kernel tells no peak")?.parse()?)
}

fn write_index(path: &Path, size: usize) -> Outcome<usize> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    let mut written = file.write(b"apiVersion: v1\nentries:\n")?;
    for chart in 0.. {
        if written >= size {
            break;
        }
        let mut out = format!("  chart-{chart:05}:\n");
        for version in (1..=60).rev() {
            write!(
                out,
                "  - annotations:\n      category: Database\n      images: |\n        - name: chart-{chart:05}\n          \
                 image: registry.example.com/chart-{chart:05}:1.{version}.0\n    apiVersion: v2\n    appVersion: 1.{version}.0\n    \
                 created: \"2024-05-01T12:13:14.15161718Z\"\n    dependencies:\n    - name: common\n      repository: \
                 oci://registry.example.com/charts\n      tags:\n      - example-common\n      version: 2.x.x\n    description: \
                 chart-{chart:05} is a thing that does things for people who like things to be\n      done in a way that takes more \
                 than one line\n    digest: {chart:032x}{version:032x}\n    home: https://example.com/chart-{chart:05}\n    \
                 keywords:\n    - database\n    - sql\n    kubeVersion: '>=1.23.0-0'\n    maintainers:\n    - name: Example, Inc.\n      \
                 url: https://git.example.com/charts\n    name: chart-{chart:05}\n    urls:\n    - \
                 https://charts.example.com/chart-{chart:05}-{version}.3.0.tgz\n    version: {version}.3.0\n"
            )?;
        }
        written += out.len();
        file.write_all(out.as_bytes())?;
    }
    written += file.write(b"generated: \"2024-05-09T12:13:14.15161718Z\"\n")?;
    file.flush()?;
    Ok(written)
}
