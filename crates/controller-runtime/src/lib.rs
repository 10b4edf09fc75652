//! Work queue, triggers, indexes, leases, finalizers, status patching, event recorder, metrics, clock.
