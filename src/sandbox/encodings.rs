//! Bytes as text, for `TextDecoder`: the encodings of the web by their labels, whole or in pieces.
//!
//! Nothing is kept between two pieces: what a piece leaves unfinished is told, and comes again in front of the next.

use encoding_rs::{DecoderResult, Encoding, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

/// The encoding that a label stands for, if that is one to decode by.
pub(super) fn labelled(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != REPLACEMENT)
}

/// The name as `TextDecoder` tells it.
pub(super) fn name(encoding: &'static Encoding) -> String {
    encoding.name().to_ascii_lowercase()
}

/// Bytes as text; `None` if something in them is malformed and `fatal` says so. A byte order mark stays.
pub(super) fn decode(encoding: &'static Encoding, bytes: &[u8], fatal: bool) -> Option<String> {
    if encoding == UTF_8 {
        return match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.to_owned()),
            Err(_) if fatal => None,
            Err(_) => Some(String::from_utf8_lossy(bytes).into_owned()),
        };
    }
    if fatal {
        return encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned);
    }
    Some(encoding.decode_without_bom_handling(bytes).0.into_owned())
}

/// How many bytes at the end begin a character without ending it.
pub(super) fn open_end(encoding: &'static Encoding, bytes: &[u8]) -> usize {
    if encoding == UTF_8 {
        let ends_open =
            |n: &usize| std::str::from_utf8(&bytes[bytes.len() - n..]).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none());
        return (1..=bytes.len().min(3)).find(ends_open).unwrap_or(0);
    }
    if encoding == UTF_16LE || encoding == UTF_16BE {
        let odd = bytes.len() % 2;
        let last = bytes[..bytes.len() - odd].last_chunk::<2>().copied().unwrap_or_default();
        let unit = if encoding == UTF_16BE { u16::from_be_bytes(last) } else { u16::from_le_bytes(last) };
        return odd + if (0xD800..0xDC00).contains(&unit) { 2 } else { 0 };
    }
    if encoding.is_single_byte() {
        return 0;
    }
    // What a byte means hangs on the last escape sequence, which may be anywhere before it: all of it is decoded at the end.
    if encoding == ISO_2022_JP {
        return bytes.len();
    }
    // The decoder is asked what it would say if nothing more came: whether a sequence is open, and how long that is.
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(0));
    let mut from = 0;
    loop {
        let (result, read) = decoder.decode_to_string_without_replacement(&bytes[from..], &mut text, false);
        from += read;
        match result {
            DecoderResult::InputEmpty => break,
            DecoderResult::Malformed(..) => {}
            DecoderResult::OutputFull => text.clear(),
        }
        if text.capacity() - text.len() < 16 {
            text.clear();
        }
    }
    text.clear();
    match decoder.decode_to_string_without_replacement(&[], &mut text, true).0 {
        DecoderResult::Malformed(length, _) => usize::from(length).min(bytes.len()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is cut off at the end and put in front of what follows, the text is the same as that of the whole.
    #[test]
    fn pieces_of_any_encoding_make_the_text_of_the_whole() {
        let sample = "Grüße, мир 日本語 漢字 한국어 ½ € ﾊﾝｶｸ ∞ 𠀋";
        for label in
            ["gb18030", "gbk", "big5", "euc-jp", "shift_jis", "euc-kr", "iso-2022-jp", "koi8-r", "windows-1252", "utf-8", "x-user-defined"]
        {
            let encoding = labelled(label).expect("a label of the standard");
            let mut bytes = encoding.encode(sample).0.into_owned();
            // Something malformed in the middle as well.
            bytes.splice(4..4, [0x81, 0xFF, 0x20]);
            let whole = decode(encoding, &bytes, false);
            for step in 1..7 {
                let (mut text, mut left) = (String::new(), Vec::new());
                for piece in bytes.chunks(step) {
                    left.extend_from_slice(piece);
                    let ready = left.len() - open_end(encoding, &left);
                    let rest = left.split_off(ready);
                    text += &decode(encoding, &left, false).expect("nothing is fatal");
                    left = rest;
                }
                text += &decode(encoding, &left, false).expect("nothing is fatal");
                assert_eq!(Some(text), whole, "{label} in pieces of {step}");
            }
        }
    }

    #[test]
    fn what_is_no_encoding_to_decode_by_has_no_label() {
        for label in ["", "utf", "replacement", "hz-gb-2312", "utf-7", "utf-8\0"] {
            assert!(labelled(label).is_none(), "{label}");
        }
        assert_eq!(labelled(" \tLATIN1\n").map(name).as_deref(), Some("windows-1252"));
    }
}
