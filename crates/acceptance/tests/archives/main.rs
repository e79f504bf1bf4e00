//! Images out of the registry and into it, as OCI layouts and as archives of `docker save`.

mod clients;
mod engines;
mod forms;
mod hostile;
mod moved;
mod support;
