//! The Go text/template language and the Sprig library, with fuel and depth limits.
