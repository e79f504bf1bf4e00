//! Bytes addressed by digest, in the folder layout of distribution.
