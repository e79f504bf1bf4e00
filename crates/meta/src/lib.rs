//! Every SQL statement of the registry.
