//! The black-box tests: one binary, so that the server is linked once. Every suite starts the real program and speaks HTTP to it.
//!
//! A panic is how a test says that something is wrong, so `unwrap` is welcome here.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

mod access;
mod actions;
mod architecture;
mod auth;
mod authors;
mod capabilities;
mod changes;
mod collections;
mod crashes;
#[cfg(feature = "test-hooks")]
mod cron;
mod custom_services;
mod deliveries;
mod dependencies;
mod directus;
mod documents;
mod errors;
mod extensions;
mod failures;
mod fetch;
mod filters;
mod folders;
mod hostile;
mod introspection;
mod items;
#[cfg(feature = "test-hooks")]
mod jail;
mod kept;
#[cfg(feature = "test-hooks")]
mod mail;
mod manage;
mod matrix;
mod mcp;
mod metrics;
mod modules;
mod nested;
mod operation;
mod packages;
mod permissions;
mod pooler;
mod pristine;
mod queries;
mod raw_client;
mod read_events;
mod regressions;
mod relations;
mod routes;
mod runs;
mod sandbox;
#[cfg(feature = "test-hooks")]
mod schedules;
mod schema;
mod sdk;
mod secrets;
mod services;
mod sign_in;
mod streaming;
mod transactions;
mod types;
mod typescript;
mod web;
