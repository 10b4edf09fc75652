//! Ignore rules and tarballs against records of Go programs, and properties of archives.

mod archive;
mod ignore;
