//! HelmReleases on the embedded server, from chart to release and back.
//!
//! Charts are put into the store by hand, as the HelmCharts that a release asks for, so that nothing here depends on
//! the source controller.

mod adoption;
mod crashes;
mod details;
mod lab;
mod lifecycle;
