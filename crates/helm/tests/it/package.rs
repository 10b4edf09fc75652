//! Charts packed again.

use filetree::MemoryTree;
use helm::Version;
use helm::load::{archive_files, archive_files_on_demand, load_archive, load_directory};
use helm::package::{
    archive_metadata, directory_metadata, merge_values, missing_dependencies, overwrite_values,
    read_values_file, save, with_build_metadata,
};

const CHART: &str = "apiVersion: v2\nname: app\nversion: 1.2.3\ndependencies:\n- {name: sub, version: 1.x, repository: 'file://../sub'}\n- {name: other, version: 1.x, repository: 'https://a.io', alias: renamed}\n";

fn tree() -> MemoryTree {
    let mut tree = MemoryTree::new();
    for (path, content) in [
        ("app/Chart.yaml", CHART),
        ("app/values.yaml", "a: 1\n"),
        ("app/templates/x.yaml", "x: {{ .Values.a }}\n"),
        ("app/crds/c.yaml", "kind: X\n"),
        ("app/charts/sub/Chart.yaml", "name: sub\nversion: 1.0.0\n"),
        ("app/charts/sub/values.yaml", ""),
        ("app/.helmignore", "*.bak\n"),
        ("app/a.bak", "no"),
    ] {
        tree.insert(path, content.as_bytes()).unwrap();
    }
    tree
}

#[test]
fn a_packed_chart_is_the_chart() {
    let mut chart = load_directory(&tree(), "app", Version::V4).unwrap();
    chart.metadata.version = with_build_metadata("1.2.3", "abc.2").unwrap();
    let mut values = read_values_file(b"a: 1\nb: {c: 10000000}\n").unwrap();
    merge_values(&mut values, read_values_file(b"b: {d: [1]}").unwrap());
    assert!(overwrite_values(&mut chart, &values).unwrap());
    assert!(!overwrite_values(&mut chart, &values).unwrap());
    let archive = save(&chart).unwrap();
    assert_eq!(archive, save(&chart).unwrap());
    let again = load_archive(&archive, Version::V4).unwrap();
    assert_eq!(again.metadata.version, "1.2.3+abc.2");
    assert_eq!(again.dependencies[0].name(), "sub");
    let names: Vec<&str> = again.raw.iter().map(|file| file.name.as_str()).collect();
    assert!(!names.contains(&"a.bak"), "{names:?}");
    let find = |name: &str| &again.raw.iter().find(|f| f.name == name).unwrap().data;
    assert_eq!(
        &**find("values.yaml"),
        b"a: 1\nb:\n  c: 10000000\n  d:\n  - 1\n"
    );
    assert_eq!(archive_metadata(&archive).unwrap().name, "app");
    assert_eq!(directory_metadata(&tree(), "app").unwrap().version, "1.2.3");
}

#[test]
fn missing_dependencies_are_found_by_alias() {
    let chart = load_directory(&tree(), "app", Version::V4).unwrap();
    let missing = missing_dependencies(&chart);
    let names: Vec<_> = missing
        .iter()
        .map(|d| (d.name.as_str(), d.known_as()))
        .collect();
    assert_eq!(names, [("other", "renamed")]);
}

#[test]
fn what_is_no_chart_is_said() {
    let text = |archive: &[u8]| archive_metadata(archive).unwrap_err().to_string();
    assert_eq!(text(b"not an archive"), "gzip: invalid header");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    std::io::Write::write_all(&mut encoder, &[0; 1024]).unwrap();
    assert_eq!(text(&encoder.finish().unwrap()), "no 'Chart.yaml' found");
    let error = directory_metadata(&tree(), "nope").unwrap_err().to_string();
    assert_eq!(error, "open nope/Chart.yaml: no such file or directory");
    assert!(with_build_metadata("x", "y").is_err());
}

#[test]
fn files_that_stay_packed_are_those_of_the_archive() {
    let mut tree = tree();
    let large: Vec<u8> = (0..100_000_u32).flat_map(|i| i.to_le_bytes()).collect();
    let marked = [b"\xef\xbb\xbf".as_slice(), &large[..20_000]].concat();
    for (path, content) in [
        ("app/CHANGELOG.md", large.as_slice()),
        ("app/charts/sub/files/a.json", &marked),
        ("app/charts/sub/templates/b.yaml", &large[..16_384]),
        ("app/files/small", &large[..16_383]),
    ] {
        tree.insert(path, content).unwrap();
    }
    let chart = load_directory(&tree, "app", Version::V4).unwrap();
    let archive = save(&chart).unwrap();
    let at_once = archive_files(&archive).unwrap();
    let on_demand = archive_files_on_demand(archive.clone()).unwrap();
    let packed = on_demand.iter().filter(|file| {
        let shown = format!("{:?}", file.data);
        shown.starts_with("packed")
    });
    let packed: Vec<&str> = packed.map(|file| file.name.as_str()).collect();
    assert_eq!(packed, ["CHANGELOG.md", "charts/sub/files/a.json"]);
    assert_eq!(at_once, on_demand);
    assert_eq!(
        *at_once.iter().find(|f| f.name == packed[1]).unwrap().data,
        large[..20_000]
    );

    let cut = archive[..archive.len() - 40].to_vec();
    let errors = [archive_files(&cut), archive_files_on_demand(cut.clone())];
    let [a, b] = errors.map(|read| read.unwrap_err().to_string());
    assert_eq!(a, b);
}
