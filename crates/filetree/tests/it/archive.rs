//! Packing and unpacking.

use std::io::Read;

use filetree::{
    Ignore, MemoryTree, PackEntry, Packer, UnpackError, UnpackLimits, select, selected_tree,
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
    add("big.txt", &"0123456789abcdef".repeat(8192));
    tree.set_executable("run.sh", true);
    tree
}

fn entries(tree: &MemoryTree) -> Vec<PackEntry> {
    select(tree, &Ignore::load(tree, None).unwrap()).unwrap()
}

/// Length and digest recorded from Go's `archive/tar` over the same files with source-controller's headers.
#[test]
fn the_tar_stream_is_gos() {
    let tarball = Packer::new().pack(&entries(&sample()));
    let mut plain = Vec::new();
    GzDecoder::new(&tarball.bytes[..])
        .read_to_end(&mut plain)
        .unwrap();
    assert_eq!(plain.len(), RECORDED.0);
    assert_eq!(hex::encode(Sha256::digest(&plain)), RECORDED.1);
}

const RECORDED: (usize, &str) = (
    146_944,
    "5946e411f2c53741e07590dd6cd1e00b5dfcd0d8d21aff376a84e7c73fc50300",
);

#[test]
fn packed_trees_come_back() {
    let tree = sample();
    let entries = entries(&tree);
    let tarball = Packer::new().pack(&entries);
    let back = unpack_tar_gz(&tarball.bytes[..], UnpackLimits::ARTIFACT).unwrap();
    assert_eq!(back, tree);
    assert_eq!(back, selected_tree(&entries).unwrap());
    assert_eq!(
        tree_digest(&back, "").unwrap(),
        tree_digest(&tree, "").unwrap()
    );
}

#[test]
fn kept_runs_do_not_change_the_bytes() {
    let mut packer = Packer::new();
    let mut tree = sample();
    for (path, content) in [("a/x.yaml", "changed"), ("new/file", "1"), ("b.yaml", "")] {
        packer.pack(&entries(&tree));
        tree.insert(path, content.as_bytes()).unwrap();
        let again = packer.pack(&entries(&tree));
        assert_eq!(again.bytes, Packer::new().pack(&entries(&tree)).bytes);
    }
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
    let many = Packer::new().pack(&entries(&sample()));
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
