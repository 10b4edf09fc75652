//! Small Git repositories, written without the `git` program.
//!
//! A [`GitRepo`] holds the files of its current branch; changes are staged in memory and become a commit with
//! [`GitRepo::commit`]. Objects are written loose and kept in memory, where [`crate::githttp`] serves them from.
//! Times are counted up from a fixed second, so ids are the same in every run.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha1::{Digest, Sha1};

/// Seconds since the epoch of the first commit.
const FIRST_COMMIT_SECONDS: u64 = 1_700_000_000;

/// A repository under construction. Every failure panics: it is a test's own fault.
pub struct GitRepo {
    root: PathBuf,
    git_dir: PathBuf,
    branch: String,
    files: BTreeMap<String, Staged>,
    clock: u64,
    /// Kind and content by id.
    objects: HashMap<String, (&'static str, Vec<u8>)>,
    refs: BTreeMap<String, String>,
}

#[derive(Clone)]
enum Staged {
    Blob {
        mode: &'static str,
        content: Vec<u8>,
    },
    Submodule(String),
}

impl GitRepo {
    /// Creates a repository with a work tree; `HEAD` names the branch `main`.
    pub fn init(root: &Path) -> Self {
        Self::create(root, &root.join(".git"))
    }

    /// Creates a bare repository.
    pub fn init_bare(root: &Path) -> Self {
        Self::create(root, root)
    }

    fn create(root: &Path, git_dir: &Path) -> Self {
        for directory in ["objects/pack", "refs/heads", "refs/tags"] {
            fs::create_dir_all(git_dir.join(directory)).expect("the test directory is writable");
        }
        let repo = Self {
            root: root.to_owned(),
            git_dir: git_dir.to_owned(),
            branch: "main".to_owned(),
            files: BTreeMap::new(),
            clock: FIRST_COMMIT_SECONDS,
            objects: HashMap::new(),
            refs: BTreeMap::new(),
        };
        let bare = root == git_dir;
        repo.put("HEAD", "ref: refs/heads/main\n");
        repo.put(
            "config",
            &format!("[core]\n\trepositoryformatversion = 0\n\tbare = {bare}\n"),
        );
        repo
    }

    /// Returns the path to open: the work tree, or the bare repository.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Returns all objects: kind and content by id.
    pub fn objects(&self) -> &HashMap<String, (&'static str, Vec<u8>)> {
        &self.objects
    }

    /// Returns all references: id by full name.
    pub fn refs(&self) -> &BTreeMap<String, String> {
        &self.refs
    }

    /// Stages a file, and writes it to the work tree.
    pub fn write(&mut self, path: &str, content: impl AsRef<[u8]>) -> &mut Self {
        self.stage(path, "100644", content.as_ref())
    }

    /// Stages a file with executable bit.
    pub fn write_executable(&mut self, path: &str, content: impl AsRef<[u8]>) -> &mut Self {
        self.stage(path, "100755", content.as_ref())
    }

    /// Stages a symbolic link; the work tree does not get it.
    pub fn link(&mut self, path: &str, target: &str) -> &mut Self {
        let content = target.as_bytes().to_vec();
        let mode = "120000";
        self.files
            .insert(path.to_owned(), Staged::Blob { mode, content });
        self
    }

    /// Stages a submodule; `.gitmodules` is written with [`GitRepo::write`].
    pub fn submodule(&mut self, path: &str, commit: &str) -> &mut Self {
        self.files
            .insert(path.to_owned(), Staged::Submodule(commit.to_owned()));
        self
    }

    /// Stages the removal of a file.
    pub fn remove(&mut self, path: &str) -> &mut Self {
        self.files.remove(path);
        if !self.is_bare() {
            fs::remove_file(self.root.join(path)).expect("the removed file exists");
        }
        self
    }

    /// Stages several files and commits them.
    pub fn commit_files(&mut self, files: &[(&str, &str)]) -> String {
        for (path, content) in files {
            self.write(path, content);
        }
        self.commit("change files")
    }

    /// Commits what is staged to the current branch; returns the id.
    pub fn commit(&mut self, message: &str) -> String {
        let tree = self.write_tree("");
        let name = format!("refs/heads/{}", self.branch);
        let parent = match self.refs.get(&name) {
            Some(id) => format!("parent {id}\n"),
            None => String::new(),
        };
        let who = format!("Test <test@example.com> {} +0000", self.tick());
        let text = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{message}\n");
        let id = self.object("commit", text.into_bytes());
        self.set_ref(&name, &id);
        id
    }

    /// Makes a branch current; it is created with the next commit, or at the given one. Staged files stay.
    pub fn switch(&mut self, branch: &str, at: Option<&str>) -> &mut Self {
        self.branch = branch.to_owned();
        self.put("HEAD", &format!("ref: refs/heads/{branch}\n"));
        if let Some(id) = at {
            self.set_ref(&format!("refs/heads/{branch}"), id);
        }
        self
    }

    /// Sets a reference by its full name.
    pub fn set_ref(&mut self, name: &str, id: &str) -> &mut Self {
        self.refs.insert(name.to_owned(), id.to_owned());
        // Renamed into place, as Git does.
        self.put(&format!("{name}.lock"), &format!("{id}\n"));
        fs::rename(
            self.git_dir.join(format!("{name}.lock")),
            self.git_dir.join(name),
        )
        .expect("the reference can be replaced");
        self
    }

    /// Sets a lightweight tag.
    pub fn tag(&mut self, name: &str, id: &str) -> &mut Self {
        self.set_ref(&format!("refs/tags/{name}"), id)
    }

    /// Makes an annotated tag; returns the id of the tag object.
    pub fn annotated_tag(&mut self, name: &str, id: &str) -> String {
        let who = format!("Test <test@example.com> {} +0000", self.tick());
        let text = format!("object {id}\ntype commit\ntag {name}\ntagger {who}\n\ntag {name}\n");
        let tag = self.object("tag", text.into_bytes());
        self.tag(name, &tag);
        tag
    }

    /// Returns the commit that `HEAD` leads to, if its branch has one.
    pub fn head(&self) -> Option<&str> {
        let name = format!("refs/heads/{}", self.branch);
        self.refs.get(&name).map(String::as_str)
    }

    /// Moves all loose objects into one pack with offset deltas, and all references into `packed-refs`.
    pub fn pack(&mut self) -> &mut Self {
        let ids: Vec<&String> = self.objects.keys().collect();
        let objects = ids.iter().map(|id| &self.objects[*id]).collect::<Vec<_>>();
        let pack = write_pack(&objects);
        let name = hex::encode(Sha1::digest(&pack.bytes));
        let mut rows: Vec<(&String, u64)> = ids.into_iter().zip(pack.offsets).collect();
        rows.sort();
        let index = write_index(&rows, &pack.bytes);
        let base = format!("objects/pack/pack-{name}");
        fs::write(self.git_dir.join(format!("{base}.pack")), &pack.bytes).expect("writable");
        fs::write(self.git_dir.join(format!("{base}.idx")), index).expect("writable");
        for (id, _) in rows {
            let loose = self.git_dir.join("objects").join(&id[..2]).join(&id[2..]);
            // An earlier pack may hold it already.
            let _ = fs::remove_file(loose);
        }
        let mut packed = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
        for (name, id) in &self.refs {
            packed.push_str(&format!("{id} {name}\n"));
            let _ = fs::remove_file(self.git_dir.join(name));
        }
        self.put("packed-refs", &packed);
        self
    }

    fn is_bare(&self) -> bool {
        self.root == self.git_dir
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn stage(&mut self, path: &str, mode: &'static str, content: &[u8]) -> &mut Self {
        if !self.is_bare() {
            let target = self.root.join(path);
            fs::create_dir_all(target.parent().expect("below the root")).expect("writable");
            fs::write(&target, content).expect("writable");
            make_executable(&target, mode == "100755");
        }
        let content = content.to_vec();
        self.files
            .insert(path.to_owned(), Staged::Blob { mode, content });
        self
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.git_dir.join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
        fs::write(path, text).expect("the test directory is writable");
    }

    /// Writes the tree of a directory ("" or ending with `/`) from the staged files.
    fn write_tree(&mut self, directory: &str) -> String {
        let mut names: BTreeMap<String, Option<Staged>> = BTreeMap::new();
        for (path, staged) in &self.files {
            let Some(rest) = path.strip_prefix(directory) else {
                continue;
            };
            match rest.split_once('/') {
                // Git sorts directories as if their names ended with a slash.
                Some((name, _)) => names.insert(format!("{name}/"), None),
                None => names.insert(rest.to_owned(), Some(staged.clone())),
            };
        }
        let mut tree = Vec::new();
        for (name, staged) in names {
            let (mode, id) = match staged {
                None => ("40000", self.write_tree(&format!("{directory}{name}"))),
                Some(Staged::Submodule(commit)) => ("160000", commit),
                Some(Staged::Blob { mode, content }) => (mode, self.object("blob", content)),
            };
            tree.extend_from_slice(format!("{mode} {}\0", name.trim_end_matches('/')).as_bytes());
            tree.extend_from_slice(&hex::decode(id).expect("ids are hexadecimal"));
        }
        self.object("tree", tree)
    }

    fn object(&mut self, kind: &'static str, content: Vec<u8>) -> String {
        let mut whole = format!("{kind} {}\0", content.len()).into_bytes();
        whole.extend_from_slice(&content);
        let id = hex::encode(Sha1::digest(&whole));
        if !self.objects.contains_key(&id) {
            let directory = self.git_dir.join("objects").join(&id[..2]);
            fs::create_dir_all(&directory).expect("writable");
            fs::write(directory.join(&id[2..]), deflate(&whole)).expect("writable");
            self.objects.insert(id.clone(), (kind, content));
        }
        id
    }
}

#[cfg(unix)]
fn make_executable(path: &Path, executable: bool) {
    use std::os::unix::fs::PermissionsExt;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
}

#[cfg(not(unix))]
fn make_executable(_path: &Path, _executable: bool) {}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory is writable");
    encoder.finish().expect("memory is writable")
}

/// A pack with the offset of each object.
pub(crate) struct Pack {
    pub bytes: Vec<u8>,
    pub offsets: Vec<u64>,
}

/// Writes a pack; an object that begins like the one before it of the same kind becomes an offset delta.
pub(crate) fn write_pack(objects: &[&(&'static str, Vec<u8>)]) -> Pack {
    let mut bytes = b"PACK\0\0\0\x02".to_vec();
    bytes.extend_from_slice(&u32::try_from(objects.len()).expect("few").to_be_bytes());
    let mut offsets: Vec<u64> = Vec::new();
    for (index, (kind, content)) in objects.iter().enumerate() {
        let offset = bytes.len() as u64;
        let base = index
            .checked_sub(1)
            .map(|before| (&objects[before], offsets[before]))
            .filter(|((base_kind, base), _)| base_kind == kind && common(base, content) >= 4);
        match base {
            Some(((_, base), base_offset)) => {
                let delta = write_delta(base, content);
                write_header(&mut bytes, 6, delta.len());
                write_back(&mut bytes, offset - base_offset);
                bytes.extend_from_slice(&deflate(&delta));
            }
            None => {
                let number = ["", "commit", "tree", "blob", "tag"]
                    .iter()
                    .position(|name| name == kind)
                    .expect("one of four kinds");
                write_header(&mut bytes, number, content.len());
                bytes.extend_from_slice(&deflate(content));
            }
        }
        offsets.push(offset);
    }
    let digest = Sha1::digest(&bytes);
    bytes.extend_from_slice(&digest);
    Pack { bytes, offsets }
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter()
        .zip(b)
        .take(0xffff)
        .take_while(|(a, b)| a == b)
        .count()
}

/// Copies the common beginning and inserts the rest.
fn write_delta(base: &[u8], target: &[u8]) -> Vec<u8> {
    let shared = common(base, target);
    let mut delta = Vec::new();
    write_size(&mut delta, base.len());
    write_size(&mut delta, target.len());
    delta.extend_from_slice(&[0b1011_0000, (shared & 0xff) as u8, (shared >> 8) as u8]);
    for part in target[shared..].chunks(127) {
        delta.push(u8::try_from(part.len()).expect("at most 127"));
        delta.extend_from_slice(part);
    }
    delta
}

fn write_size(out: &mut Vec<u8>, mut size: usize) {
    while size >= 0x80 {
        out.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    out.push(size as u8);
}

fn write_header(out: &mut Vec<u8>, kind: usize, size: usize) {
    let first = (kind << 4) as u8 | (size & 0x0f) as u8;
    if size >> 4 == 0 {
        out.push(first);
    } else {
        out.push(first | 0x80);
        write_size(out, size >> 4);
    }
}

fn write_back(out: &mut Vec<u8>, mut back: u64) {
    let mut digits = vec![(back & 0x7f) as u8];
    back >>= 7;
    while back > 0 {
        back -= 1;
        digits.push((back & 0x7f) as u8 | 0x80);
        back >>= 7;
    }
    out.extend(digits.iter().rev());
}

/// Writes a version 2 index for rows sorted by id; the checksums of entries are left zero.
fn write_index(rows: &[(&String, u64)], pack: &[u8]) -> Vec<u8> {
    let ids: Vec<Vec<u8>> = rows
        .iter()
        .map(|(id, _)| hex::decode(id).expect("ids are hexadecimal"))
        .collect();
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for first in 0..=255 {
        let count = ids.iter().filter(|id| id[0] <= first).count();
        index.extend_from_slice(&u32::try_from(count).expect("few").to_be_bytes());
    }
    ids.iter().for_each(|id| index.extend_from_slice(id));
    index.extend(std::iter::repeat_n(0, rows.len() * 4));
    for (_, offset) in rows {
        index.extend_from_slice(&u32::try_from(*offset).expect("small").to_be_bytes());
    }
    index.extend_from_slice(&pack[pack.len() - 20..]);
    let digest = Sha1::digest(&index);
    index.extend_from_slice(&digest);
    index
}
