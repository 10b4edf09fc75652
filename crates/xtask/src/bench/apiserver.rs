//! `cargo xtask bench apiserver`: what a request to the embedded API server costs.

use anyhow::{Context as _, ensure};

/// Goals by figure; `true` where the value has to be at least the goal.
const GOALS: &[(&str, f64, bool)] = &[
    ("start to ready", 50.0, false),
    ("idle memory", 25.0, false),
    ("apply ConfigMap: create", 0.12, false),
    ("apply ConfigMap: no change", 0.12, false),
    ("apply ConfigMap: change", 0.12, false),
    ("apply ConfigMap: field removed", 0.12, false),
    ("apply Deployment: create", 0.35, false),
    ("apply Deployment: no change", 0.35, false),
    ("apply Deployment: change", 0.35, false),
    ("apply Deployment: field removed", 0.35, false),
    ("list of 2,000 ConfigMaps", 2.0, false),
    ("the same after a write", 2.0, false),
    ("1,000 watchers told of one write", 10.0, false),
    ("durable writes, 64 clients", 5_000.0, true),
];

/// Runs the figures and writes `docs/bench/apiserver.md`. The reference is the kubeconfig of a kube-apiserver that runs
/// on this machine.
pub fn run(arguments: &super::Arguments) -> anyhow::Result<()> {
    let root = crate::workspace_root();
    let reference = arguments.reference.as_ref();
    let output = crate::cargo()
        .current_dir(&root)
        .envs(reference.map(|kubeconfig| ("FERROFLUX_REFERENCE", kubeconfig)))
        .args([
            "bench",
            "--quiet",
            "--package",
            "apiserver",
            "--bench",
            "figures",
        ])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo bench")?;
    ensure!(output.status.success(), "the benchmark failed");
    let (report, missed) = report(&String::from_utf8(output.stdout)?);
    print!("{report}");
    let path = root.join("docs/bench/apiserver.md");
    std::fs::create_dir_all(root.join("docs/bench"))?;
    std::fs::write(&path, report)?;
    ensure!(missed.is_empty(), "goals missed: {}", missed.join(", "));
    Ok(())
}

fn report(lines: &str) -> (String, Vec<String>) {
    let mut text = String::from(
        "# Requests to the embedded API server\n\n\
         Written by `cargo xtask bench apiserver [--reference KUBECONFIG]`: in process, one client, release build; processor time\n\
         is that of the whole process over 2,000 requests (`crates/apiserver/benches/figures`). The last column is a real\n\
         kube-apiserver on the same machine, over loopback, without the time of its etcd.\n\n\
         | figure | goal | measured | kube-apiserver |\n|---|---|---|---|\n",
    );
    let figures: Vec<Figure<'_>> = lines.lines().filter_map(Figure::parse).collect();
    let of_reference = |name: &str| {
        let mut all = figures.iter();
        all.find(|figure| figure.name.strip_prefix(REFERENCE) == Some(name))
    };
    let mut missed = Vec::new();
    for figure in figures.iter().filter(|f| !f.name.starts_with(REFERENCE)) {
        let goal = GOALS.iter().find(|(known, _, _)| *known == figure.name);
        let wanted = goal.map_or("–".to_owned(), |(_, goal, is_least)| {
            let sign = if *is_least { '≥' } else { '≤' };
            format!("{sign} {goal} {}", figure.unit).trim().to_owned()
        });
        if goal.is_some_and(|(_, goal, is_least)| !figure.meets(*goal, *is_least)) {
            missed.push(figure.name.to_owned());
        }
        let measured = figure.shown();
        let real = of_reference(figure.name).map_or("–".to_owned(), Figure::shown);
        let name = figure.name;
        text.push_str(&format!("| {name} | {wanted} | {measured} | {real} |\n"));
    }
    (text, missed)
}

/// What the names of figures of a real kube-apiserver begin with.
const REFERENCE: &str = "reference: ";

/// One line of the benchmark: name, value, unit, parted by tabs.
struct Figure<'a> {
    name: &'a str,
    value: &'a str,
    unit: &'a str,
}

impl<'a> Figure<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.split('\t');
        let (name, value, unit) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { name, value, unit })
    }

    /// What is no number meets no goal.
    fn meets(&self, goal: f64, is_least: bool) -> bool {
        let measured: f64 = self.value.parse().unwrap_or(f64::NAN);
        if is_least {
            measured >= goal
        } else {
            measured <= goal
        }
    }

    fn shown(&self) -> String {
        format!("{} {}", self.value, self.unit).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::report;

    #[test]
    fn goals_are_judged_and_the_reference_stands_beside() {
        let lines = "start to ready\t60.0\tms\ndurable writes, 64 clients\t6000\t1/s\n\
                     idle memory\t20\tMiB\nreference: idle memory\t250\tMiB\n";
        let (text, missed) = report(lines);
        assert_eq!(missed, ["start to ready"]);
        assert!(text.contains("| idle memory | ≤ 25 MiB | 20 MiB | 250 MiB |\n"));
        assert!(text.contains("| start to ready | ≤ 50 ms | 60.0 ms | – |\n"));
    }
}
