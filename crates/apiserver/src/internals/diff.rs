//! Unified diffs of lines as Go's port of Python's `difflib` writes them: three lines around each change, no file names.

use std::collections::HashMap;

/// Lines around a change.
const CONTEXT: usize = 3;
/// Texts of this many lines ignore lines that are everywhere.
const POPULAR_FROM: usize = 200;

/// A run of lines: equal ones, or old lines that new ones take the place of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    equal: bool,
    old: (usize, usize),
    new: (usize, usize),
}

/// Writes the difference; empty where there is none.
pub fn unified(old: &[String], new: &[String]) -> String {
    let mut out = String::new();
    for group in groups(&runs(old, new)) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let range = |from: usize, to: usize| match to - from {
            1 => (from + 1).to_string(),
            0 => format!("{from},0"),
            count => format!("{},{count}", from + 1),
        };
        out.push_str(&format!(
            "@@ -{} +{} @@\n",
            range(first.old.0, last.old.1),
            range(first.new.0, last.new.1)
        ));
        for run in &group {
            let mut push = |mark: char, lines: &[String]| {
                for line in lines {
                    out.push(mark);
                    out.push_str(line);
                    out.push('\n');
                }
            };
            if run.equal {
                push(' ', &old[run.old.0..run.old.1]);
            } else {
                push('-', &old[run.old.0..run.old.1]);
                push('+', &new[run.new.0..run.new.1]);
            }
        }
    }
    out
}

/// Cuts equal runs down to the context and splits where they are long.
fn groups(runs: &[Run]) -> Vec<Vec<Run>> {
    let mut runs = runs.to_vec();
    if let Some(first) = runs.first_mut().filter(|run| run.equal) {
        first.old.0 = first.old.0.max(first.old.1.saturating_sub(CONTEXT));
        first.new.0 = first.new.0.max(first.new.1.saturating_sub(CONTEXT));
    }
    if let Some(last) = runs.last_mut().filter(|run| run.equal) {
        last.old.1 = last.old.1.min(last.old.0 + CONTEXT);
        last.new.1 = last.new.1.min(last.new.0 + CONTEXT);
    }
    let mut found = Vec::new();
    let mut group = Vec::new();
    for mut run in runs {
        if run.equal && run.old.1 - run.old.0 > 2 * CONTEXT {
            let end = Run {
                old: (run.old.0, run.old.0 + CONTEXT),
                new: (run.new.0, run.new.0 + CONTEXT),
                ..run
            };
            group.push(end);
            found.push(std::mem::take(&mut group));
            run.old.0 = run.old.1 - CONTEXT;
            run.new.0 = run.new.1 - CONTEXT;
        }
        group.push(run);
    }
    if group.iter().any(|run| !run.equal) {
        found.push(group);
    }
    found
}

fn runs(old: &[String], new: &[String]) -> Vec<Run> {
    let mut matches = Vec::new();
    let places = places(new);
    find(
        old,
        new,
        &places,
        (0, old.len()),
        (0, new.len()),
        &mut matches,
    );
    matches.push((old.len(), new.len(), 0));
    let mut runs: Vec<Run> = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (a, b, size) in matches {
        if i < a || j < b {
            runs.push(Run {
                equal: false,
                old: (i, a),
                new: (j, b),
            });
        }
        if size > 0 {
            match runs.last_mut() {
                Some(last) if last.equal && i == a && j == b => {
                    last.old.1 += size;
                    last.new.1 += size;
                }
                _ => runs.push(Run {
                    equal: true,
                    old: (a, a + size),
                    new: (b, b + size),
                }),
            }
        }
        (i, j) = (a + size, b + size);
    }
    runs
}

/// Where each line of the new text stands; lines that are everywhere in a long text are left out.
fn places(new: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, line) in new.iter().enumerate() {
        places.entry(line).or_default().push(index);
    }
    if new.len() >= POPULAR_FROM {
        let most = new.len() / 100 + 1;
        places.retain(|_, indices| indices.len() <= most);
    }
    places
}

/// Finds the longest match, then those before and after it.
fn find(
    old: &[String],
    new: &[String],
    places: &HashMap<&str, Vec<usize>>,
    a: (usize, usize),
    b: (usize, usize),
    found: &mut Vec<(usize, usize, usize)>,
) {
    // An explicit stack, in order: a part is either looked into or taken over.
    enum Part {
        Open((usize, usize), (usize, usize)),
        Match(usize, usize, usize),
    }
    let mut stack = vec![Part::Open(a, b)];
    while let Some(part) = stack.pop() {
        match part {
            Part::Match(i, j, size) => found.push((i, j, size)),
            Part::Open(a, b) => {
                let (i, j, size) = longest(old, new, places, a, b);
                if size > 0 {
                    stack.push(Part::Open((i + size, a.1), (j + size, b.1)));
                    stack.push(Part::Match(i, j, size));
                    stack.push(Part::Open((a.0, i), (b.0, j)));
                }
            }
        }
    }
}

fn longest(
    old: &[String],
    new: &[String],
    places: &HashMap<&str, Vec<usize>>,
    a: (usize, usize),
    b: (usize, usize),
) -> (usize, usize, usize) {
    let mut best = (a.0, b.0, 0);
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for (i, line) in old.iter().enumerate().take(a.1).skip(a.0) {
        let mut next = HashMap::new();
        for &j in places.get(line.as_str()).into_iter().flatten() {
            if j < b.0 {
                continue;
            }
            if j >= b.1 {
                break;
            }
            let before = j.checked_sub(1).and_then(|j| lengths.get(&j));
            let size = before.copied().unwrap_or(0) + 1;
            next.insert(j, size);
            if size > best.2 {
                best = (i + 1 - size, j + 1 - size, size);
            }
        }
        lengths = next;
    }
    while best.0 > a.0 && best.1 > b.0 && old[best.0 - 1] == new[best.1 - 1] {
        best = (best.0 - 1, best.1 - 1, best.2 + 1);
    }
    while best.0 + best.2 < a.1
        && best.1 + best.2 < b.1
        && old[best.0 + best.2] == new[best.1 + best.2]
    {
        best.2 += 1;
    }
    best
}
