//! What fuzzing does with the sandbox: bytes from a worker, bytes from the host, values, the heap, and what the web platform reads.
//!
//! Each function takes any bytes and panics where something doesn't hold. Compiled for tests and fuzzing only; `crate::fuzz` lists them.

mod arena;
mod frames;
mod js;
mod strip;
mod values;
mod web;

pub(crate) use super::link::fuzz::frames as frames_from_worker;
pub(crate) use arena::arena;
pub(crate) use frames::frames_from_host;
pub(crate) use strip::strip;
pub(crate) use values::{json, values};
pub(crate) use web::{multipart, web};

/// Reads decisions off bytes; where they have ended, everything is zero.
pub(crate) struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    pub(crate) fn number(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// At most `n` bytes.
    pub(crate) fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// What is left, cut into texts at each `0xFF`, which no text holds.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.split(|b| *b == 0xFF).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }
}
