//! Kustomization builds, byte for byte as kustomize 5.8.1 prints them.
