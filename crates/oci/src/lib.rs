//! The OCI specifications as types.
