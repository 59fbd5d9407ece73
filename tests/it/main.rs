//! The integration tests: one binary, so that the server is linked once.

mod sandbox;
