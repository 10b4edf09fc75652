//! The Flux kinds: spec, status, reasons, defaults, validation, CRDs, the Event.
