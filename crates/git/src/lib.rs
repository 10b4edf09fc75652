//! Clone, verify, commit and push, over HTTP(S) and local paths.
//!
//! References and credentials go in; a commit and its files in memory come out. No `git` program is run: objects, packs and
//! the smart HTTP protocol (version 2) are read here. Semantics and texts follow `pkg/git` of Flux. Not here yet: SSH,
//! signature verification, commit and push.

mod auth;
mod checkout;
mod client;
mod commit;
mod copies;
mod delta;
mod error;
mod http;
mod id;
mod inflate;
mod local;
mod object;
mod odb;
mod pack;
mod pktline;
mod refs;
mod select;
mod snapshot;
mod submodules;
pub mod verify;

pub use auth::Auth;
pub use checkout::Checkout;
pub use client::{Client, FetchRequest, Fetched, LocalAccess, local_path};
pub use commit::{Commit, Details};
pub use copies::LocalCopies;
pub use error::Error;
pub use id::ObjectId;
pub use local::LocalRepository;
pub use object::{CommitObject, Kind, Mode, Object, ObjectStore, Signature, Tag, TreeEntry};
pub use pack::PackObjects;
pub use select::{Advertised, Reference};
