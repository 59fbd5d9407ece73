//! Compressing and decompressing in pieces, for `CompressionStream` and `DecompressionStream`.
//!
//! What a codec knows between two pieces lies here, outside of the heap, under a number that JS holds; it ends with its call at the latest,
//! so a heap that is put back has no numbers of old. There may be few at a time, and one step makes a bounded piece: how much may come of
//! little is for the heap that takes the pieces to say.

use std::collections::HashMap;
use std::io::Write;

use flate2::write::{DeflateEncoder, GzDecoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, Decompress, FlushDecompress, Status};
use rquickjs::qjs;

use super::limits::MAX_CODECS;
use super::native::native;

/// How much one step makes.
const STEP: usize = 32 * 1024;

/// The codecs of one isolate.
#[derive(Default)]
pub(super) struct Codecs {
    /// Never used twice, so that what an isolate that is used again kept of an earlier call finds nothing.
    last: u32,
    open: HashMap<u32, Codec>,
}

enum Codec {
    Gzip(GzEncoder<Vec<u8>>),
    Zlib(ZlibEncoder<Vec<u8>>),
    Deflate(DeflateEncoder<Vec<u8>>),
    FromGzip(GzDecoder<Vec<u8>>),
    /// Whether its end was seen.
    Inflate(Box<Decompress>, bool),
}

/// What a step made, and how much of the input it took.
struct Made {
    taken: usize,
    bytes: Vec<u8>,
}

const CORRUPT: &str = "The compressed data is corrupt";
const AFTER: &str = "There is data after the end of the compressed data";
const SHORT: &str = "The compressed data ends too early";

impl Codec {
    fn new(format: &str, decompresses: bool) -> Option<Self> {
        let level = Compression::default();
        Some(match (format, decompresses) {
            ("gzip", false) => Self::Gzip(GzEncoder::new(Vec::new(), level)),
            ("deflate", false) => Self::Zlib(ZlibEncoder::new(Vec::new(), level)),
            ("deflate-raw", false) => Self::Deflate(DeflateEncoder::new(Vec::new(), level)),
            ("gzip", true) => Self::FromGzip(GzDecoder::new(Vec::new())),
            ("deflate", true) => Self::Inflate(Box::new(Decompress::new(true)), false),
            ("deflate-raw", true) => Self::Inflate(Box::new(Decompress::new(false)), false),
            _ => return None,
        })
    }

    /// Goes on with some input. Without any: what can be told already of what was taken before.
    fn step(&mut self, input: &[u8]) -> Result<Made, &'static str> {
        if input.is_empty() {
            return self.rest().map(|bytes| Made { taken: 0, bytes });
        }
        // An encoder takes a piece in one go, so it is given no more than one step's.
        let piece = &input[..input.len().min(STEP)];
        match self {
            Self::Gzip(to) => Ok(Made { taken: to.write(piece).map_err(|_| CORRUPT)?, bytes: std::mem::take(to.get_mut()) }),
            Self::Zlib(to) => Ok(Made { taken: to.write(piece).map_err(|_| CORRUPT)?, bytes: std::mem::take(to.get_mut()) }),
            Self::Deflate(to) => Ok(Made { taken: to.write(piece).map_err(|_| CORRUPT)?, bytes: std::mem::take(to.get_mut()) }),
            Self::FromGzip(to) => {
                // It writes what it holds before it goes on: at most its own buffer of 32 KiB.
                let taken = to.write(input).map_err(|_| CORRUPT)?;
                let bytes = std::mem::take(to.get_mut());
                if taken == 0 && bytes.is_empty() { Err(AFTER) } else { Ok(Made { taken, bytes }) }
            }
            Self::Inflate(_, true) => Err(AFTER),
            Self::Inflate(decoder, ended) => {
                let before = decoder.total_in();
                let mut bytes = Vec::with_capacity(STEP);
                let status = decoder.decompress_vec(input, &mut bytes, FlushDecompress::None).map_err(|_| CORRUPT)?;
                let taken = (decoder.total_in() - before) as usize;
                *ended = status == Status::StreamEnd;
                match taken == 0 && bytes.is_empty() && !*ended {
                    true => Err(CORRUPT),
                    false => Ok(Made { taken, bytes }),
                }
            }
        }
    }

    fn rest(&mut self) -> Result<Vec<u8>, &'static str> {
        Ok(match self {
            Self::FromGzip(from) => {
                // Once it has come to its end there is nothing to flush, which it says by an error.
                let _ = from.flush();
                std::mem::take(from.get_mut())
            }
            Self::Inflate(decoder, ended) if !*ended => {
                let mut bytes = Vec::with_capacity(STEP);
                *ended = decoder.decompress_vec(&[], &mut bytes, FlushDecompress::None).map_err(|_| CORRUPT)? == Status::StreamEnd;
                bytes
            }
            _ => Vec::new(),
        })
    }

    /// There is no more input. Called again until it makes nothing more.
    fn end(&mut self) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::Gzip(to) => to.try_finish().map(|()| std::mem::take(to.get_mut())).map_err(|_| CORRUPT),
            Self::Zlib(to) => to.try_finish().map(|()| std::mem::take(to.get_mut())).map_err(|_| CORRUPT),
            Self::Deflate(to) => to.try_finish().map(|()| std::mem::take(to.get_mut())).map_err(|_| CORRUPT),
            Self::FromGzip(to) => to.try_finish().map(|()| std::mem::take(to.get_mut())).map_err(|_| SHORT),
            Self::Inflate(_, true) => Ok(Vec::new()),
            Self::Inflate(decoder, ended) => {
                let mut bytes = Vec::with_capacity(STEP);
                *ended = decoder.decompress_vec(&[], &mut bytes, FlushDecompress::None).map_err(|_| CORRUPT)? == Status::StreamEnd;
                if bytes.is_empty() && !*ended { Err(SHORT) } else { Ok(bytes) }
            }
        }
    }
}

impl Codecs {
    /// The call has ended, and so have they.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.open.shrink_to_fit();
    }

    fn open(&mut self, format: &str, decompresses: bool) -> Result<u32, &'static str> {
        if self.open.len() >= MAX_CODECS {
            return Err("16 streams are compressed or decompressed already: end or cancel one of them first");
        }
        let codec = Codec::new(format, decompresses).ok_or("there is no such format")?;
        self.last = self.last.wrapping_add(1);
        self.open.insert(self.last, codec);
        Ok(self.last)
    }

    fn get(&mut self, id: u32) -> Result<&mut Codec, &'static str> {
        self.open.get_mut(&id).ok_or("This stream is closed: the call that it belongs to has ended")
    }
}

/// The number of a codec of JS, which no other argument can be.
fn of(ask: &super::native::Ask<'_>) -> u32 {
    ask.integer(0).unwrap_or(0)
}

native! {
    /// `codec(format, decompresses)`: a number, or a text that says why not.
    open(ask) => match ask.text(0).map(|format| ask.shared.codecs.borrow_mut().open(&format, ask.flag(1))) {
        Ok(Ok(id)) => qjs::__JS_NewFloat64(id.into()),
        Ok(Err(why)) => ask.new_text(why).unwrap_or(qjs::JS_EXCEPTION),
        Err(_) => qjs::JS_EXCEPTION,
    };

    /// `codecStep(id, bytes, from)`: how many of the bytes from there on were taken, and what that made; or a text that says what is wrong.
    step(ask) => {
        let made = ask.with_bytes(ask.arg(1), |bytes| {
            let from = ask.integer(2).map_or(0, |from| from as usize).min(bytes.len());
            ask.shared.codecs.borrow_mut().get(of(ask)).and_then(|codec| codec.step(&bytes[from..]))
        });
        match made {
            Ok(Ok(Made { taken, bytes })) => (|| {
                let array = ask.js.array()?;
                ask.js.set_index(&array, 0, ask.js.own(qjs::__JS_NewFloat64(taken as f64))?)?;
                ask.js.set_index(&array, 1, ask.js.bytes(&bytes)?)?;
                Ok::<_, super::engine::Exception>(array.into_raw())
            })().unwrap_or(qjs::JS_EXCEPTION),
            Ok(Err(why)) => ask.new_text(why).unwrap_or(qjs::JS_EXCEPTION),
            Err(_) => qjs::JS_EXCEPTION,
        }
    };

    /// `codecEnd(id)`: what is still to come, nothing where that was all, or a text that says what is wrong.
    end(ask) => match ask.shared.codecs.borrow_mut().get(of(ask)).and_then(Codec::end) {
        Ok(bytes) => ask.new_bytes(&bytes).unwrap_or(qjs::JS_EXCEPTION),
        Err(why) => ask.new_text(why).unwrap_or(qjs::JS_EXCEPTION),
    };

    /// `codecClose(id)`: it isn't needed any more.
    close(ask) => {
        ask.shared.codecs.borrow_mut().open.remove(&of(ask));
        qjs::JS_UNDEFINED
    };
}
