//! What happens in the registry is told to others.

mod delivery;
mod envelope;
mod network;
