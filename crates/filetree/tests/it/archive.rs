//! Packing and unpacking.

use std::io::Read;

use filetree::{
    Ignore, MemoryTree, PackEntry, UnpackError, UnpackLimits, pack, select, selected_tree,
    tree_digest, unpack_tar_gz,
};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

fn sample() -> MemoryTree {
    let mut tree = MemoryTree::new();
    let mut add = |path: &str, content: &str| tree.insert(path, content.as_bytes()).unwrap();
    add("b.yaml", "b: 1\n");
    add("a/x.yaml", "x\n");
    add("a-b/y", "y");
    add("a.yaml", "");
    add("run.sh", "#!/bin/sh\n");
    add("ü/ß.yaml", "u\n");
    let deep = format!("long/{}/{}/f.yaml", "d".repeat(60), "e".repeat(60));
    add(&deep, "split\n");
    add(&format!("long/{}.yaml", "n".repeat(120)), "pax\n");
    add(&format!("é{}/x.yaml", "c".repeat(99)), "cut\n");
    add("big.txt", &"0123456789abcdef".repeat(8192));
    tree.set_executable("run.sh", true);
    tree
}

fn entries(tree: &MemoryTree) -> Vec<PackEntry> {
    select(tree, &Ignore::load(tree, None).unwrap()).unwrap()
}

/// Lengths and digests recorded from Go's `archive/tar` and `compress/gzip` over the same files with
/// source-controller's headers.
#[test]
fn the_archive_is_gos() {
    let tarball = pack(&entries(&sample()));
    let mut plain = Vec::new();
    GzDecoder::new(&tarball.bytes[..])
        .read_to_end(&mut plain)
        .unwrap();
    let tar = (plain.len(), hex::encode(Sha256::digest(&plain)));
    assert_eq!((tar.0, &*tar.1), RECORDED_TAR);
    assert_eq!((tarball.bytes.len(), &*tarball.digest()), RECORDED_GZIP);
}

const RECORDED_TAR: (usize, &str) = (
    150_528,
    "13ccacaf3d7dd30d15774c2cdf87c89a75a660f4c804d0a25b513afc53ac227a",
);
const RECORDED_GZIP: (usize, &str) = (
    961,
    "sha256:f9ba7f87a25d25c460f07b2ed25bdd92d73c048e7bd0d0f6076f0c5f66b76f15",
);

#[test]
fn packed_trees_come_back() {
    let tree = sample();
    let entries = entries(&tree);
    let tarball = pack(&entries);
    let back = unpack_tar_gz(&tarball.bytes[..], UnpackLimits::ARTIFACT).unwrap();
    assert_eq!(back, tree);
    assert_eq!(back, selected_tree(&entries).unwrap());
    assert_eq!(
        tree_digest(&back, "").unwrap(),
        tree_digest(&tree, "").unwrap()
    );
}

#[test]
fn directories_left_out_do_not_take_their_children_along() {
    let mut tree = MemoryTree::new();
    tree.insert("docs/api/b.md", *b"x").unwrap();
    let ignore = Ignore::load(&tree, Some("docs/\n!docs/api/b.md")).unwrap();
    let paths: Vec<_> = select(&tree, &ignore)
        .unwrap()
        .into_iter()
        .map(|entry| entry.path)
        .collect();
    assert_eq!(paths, ["", "docs/api/b.md"]);
}

fn tar_of(name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, content).unwrap();
    let plain = builder.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn unsafe_names_and_bombs_are_refused() {
    let limits = UnpackLimits {
        bytes_max: 1000,
        entries_max: 1,
        path_bytes_max: 50,
    };
    for name in ["../x", "/x", "a\\b", "a/../../b", &"n".repeat(60)] {
        let result = unpack_tar_gz(&tar_of(name.as_bytes(), b"")[..], limits);
        assert!(matches!(result, Err(UnpackError::Name { .. })), "{name}");
    }
    let bomb = tar_of(b"x", &[0; 2000]);
    assert!(matches!(
        unpack_tar_gz(&bomb[..], limits),
        Err(UnpackError::TooLarge { bytes_max: 1000 })
    ));
    let many = pack(&entries(&sample()));
    assert!(matches!(
        unpack_tar_gz(&many.bytes[..], limits),
        Err(UnpackError::TooMany { entries_max: 1 })
    ));
    assert!(unpack_tar_gz(&bomb[..bomb.len() / 2], UnpackLimits::ARTIFACT).is_err());
}

proptest::proptest! {
    #[test]
    fn no_archive_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2048)) {
        let _ = unpack_tar_gz(&bytes[..], UnpackLimits::ARTIFACT);
        let _ = filetree::unpack_tar(&bytes[..], UnpackLimits::ARTIFACT);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(32))]

    /// Whatever is written in whatever pieces comes back; few different bytes make many matches.
    #[test]
    fn gos_stream_unpacks(
        pieces in proptest::collection::vec(proptest::collection::vec(0_u8..4, 0..3000), 0..80),
    ) {
        let mut stream = filetree::GoGzip::new();
        for piece in &pieces {
            stream.write(piece);
        }
        let packed = stream.finish();
        let mut back = Vec::new();
        let mut reader = GzDecoder::new(&packed[..]);
        Read::read_to_end(&mut reader, &mut back).unwrap();
        proptest::prop_assert_eq!(back, pieces.concat());
    }
}
