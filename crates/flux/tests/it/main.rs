//! The built program against the embedded API server: exit code, stdout and stderr of a command in one golden.
//!
//! Goldens were compared with upstream's v2.9.4 on the same objects. `FERROFLUX_BLESS=1` writes them anew.

mod commands;
mod harness;
