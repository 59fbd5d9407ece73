//! What once went wrong, or nearly did: each test holds one behaviour that is easily lost again.

mod access;
mod code;
mod data;
mod deliveries;
mod faults;
mod routes;
