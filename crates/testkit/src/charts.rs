//! Helm charts made for tests.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Packs a chart of files by path. `Chart.yaml` and an empty `values.yaml` are written where they are not given.
pub fn pack_chart(name: &str, version: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let metadata = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let defaults = [("Chart.yaml", metadata.as_str()), ("values.yaml", "")];
    let mut all: Vec<(String, &str)> = Vec::new();
    for (path, content) in defaults {
        if !files.iter().any(|(given, _)| *given == path) {
            all.push((format!("{name}/{path}"), content));
        }
    }
    for (path, content) in files {
        all.push((format!("{name}/{path}"), content));
    }
    let borrowed: Vec<(&str, &[u8])> = all
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_bytes()))
        .collect();
    pack_files(&borrowed)
}

/// Packs files as a gzipped tarball, exactly under the paths given, however bad they are.
pub fn pack_files(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tarball = Vec::new();
    for (path, content) in files {
        tarball.extend_from_slice(&header(path, content.len()));
        tarball.extend_from_slice(content);
        tarball.resize(tarball.len().next_multiple_of(512), 0);
    }
    tarball.resize(tarball.len() + 1024, 0);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&tarball).expect("memory");
    encoder.finish().expect("memory")
}

/// One USTAR header of a plain file.
fn header(path: &str, size: usize) -> [u8; 512] {
    assert!(path.len() <= 100, "tests use short paths");
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, path);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let text = format!("{sum:06o}\0 ");
    header[148..156].copy_from_slice(text.as_bytes());
    header
}
