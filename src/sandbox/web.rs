//! The native half of the web platform: URLs, encodings, header fields and bytes, for the scripts in `prelude/web`.
//!
//! As in `native.rs` these are plain C functions that hold nothing. Bytes are looked at in place and copied out before any JS runs
//! again; the glue hands in views that it made itself, and still no byte outside of a buffer is ever touched.

use std::ffi::{CStr, c_int};

use rquickjs::qjs::{self, JSValue};
use url::{Url, form_urlencoded, quirks};

use super::engine::{Exception, Js, Native, Val, well_formed};
use super::multipart::{self, Part};
use super::native::{Ask, native};
use super::{codecs, encodings};

/// What the scripts are given.
pub(super) fn natives(js: Js) -> Result<Val, Exception> {
    const ALL: &[(&CStr, c_int, Native)] = &[
        (c"urlParse", 2, url_parse),
        (c"urlSet", 3, url_set),
        (c"formParse", 1, form_parse),
        (c"formWrite", 1, form_write),
        (c"encode", 1, encode),
        (c"encodeInto", 2, encode_into),
        (c"encoding", 1, encoding),
        (c"decode", 3, decode),
        (c"unfinished", 2, unfinished),
        (c"parseJson", 1, parse_json),
        (c"isBytes", 1, is_bytes),
        (c"copy", 1, copy),
        (c"concat", 2, concat),
        (c"headerName", 1, header_name),
        (c"headerValue", 1, header_value),
        (c"isToken", 1, is_token),
        (c"blobType", 1, blob_type),
        (c"mime", 1, mime),
        (c"multipartRead", 2, multipart_read),
        (c"multipartWrite", 2, multipart_write),
        (c"codec", 2, codecs::open),
        (c"codecStep", 3, codecs::step),
        (c"codecEnd", 1, codecs::end),
        (c"codecClose", 1, codecs::close),
    ];
    js.functions(ALL)
}

/// What a native function answers, or an exception that waits.
pub(super) type Answer = Result<JSValue, Exception>;

fn done(answer: Answer) -> JSValue {
    answer.unwrap_or(qjs::JS_EXCEPTION)
}

impl Ask<'_> {
    /// Shows the bytes of a typed array, whatever its element type; nothing for other values.
    pub(super) fn with_bytes<T>(&self, value: JSValue, use_them: impl FnOnce(&[u8]) -> T) -> Result<T, Exception> {
        let js = self.js;
        let (mut offset, mut length, mut whole): (qjs::size_t, qjs::size_t, qjs::size_t) = (0, 0, 0);
        // SAFETY: questions about live values. The buffer is held while its bytes are looked at, and no JS runs that could detach it.
        unsafe {
            if qjs::JS_GetTypedArrayType(value) < 0 {
                return Ok(use_them(&[]));
            }
            let buffer = js.own(qjs::JS_GetTypedArrayBuffer(js.raw(), value, &raw mut offset, &raw mut length, std::ptr::null_mut()))?;
            let data = qjs::JS_GetArrayBuffer(js.raw(), &raw mut whole, buffer.raw());
            let (offset, length, whole) = (offset as usize, length as usize, whole as usize);
            if data.is_null() {
                // An empty buffer may have no address; the engine throws for those that were given away.
                drop(js.take_exception());
                return Ok(use_them(&[]));
            }
            // A view that follows its buffer's size may say what is no longer so.
            let end = offset.saturating_add(length).min(whole);
            Ok(use_them(std::slice::from_raw_parts(data.add(offset.min(end)), end - offset.min(end))))
        }
    }

    /// A new `Uint8Array`.
    pub(super) fn new_bytes(&self, bytes: &[u8]) -> Answer {
        // SAFETY: the engine copies the bytes.
        self.js.own(unsafe { qjs::JS_NewUint8ArrayCopy(self.js.raw(), bytes.as_ptr(), bytes.len() as qjs::size_t) }).map(Val::into_raw)
    }

    pub(super) fn new_text(&self, text: &str) -> Answer {
        self.js.string(text.as_bytes()).map(Val::into_raw)
    }

    /// A new array of texts, `None` being `undefined`.
    fn new_list<'t>(&self, texts: impl IntoIterator<Item = Option<&'t str>>) -> Answer {
        let array = self.js.array()?;
        for (index, text) in (0..).zip(texts) {
            let value = match text {
                Some(text) => self.js.string(text.as_bytes())?,
                None => self.js.dup(qjs::JS_UNDEFINED),
            };
            self.js.set_index(&array, index, value)?;
        }
        Ok(array.into_raw())
    }

    /// The elements of an array of the glue's.
    pub(super) fn elements(&self, array: JSValue) -> Result<Vec<Val>, Exception> {
        let mut length = 0_i64;
        // SAFETY: live values; reading the elements of the glue's arrays runs no code.
        unsafe {
            if qjs::JS_GetLength(self.js.raw(), array, &raw mut length) < 0 {
                return Err(Exception);
            }
            (0..u32::try_from(length).unwrap_or(0)).map(|at| self.js.own(qjs::JS_GetPropertyUint32(self.js.raw(), array, at))).collect()
        }
    }

    fn is_string(&self, value: JSValue) -> bool {
        // SAFETY: reads the tag.
        unsafe { qjs::JS_IsString(value) }
    }

    pub(super) fn flag(&self, index: usize) -> bool {
        // SAFETY: reads the tag and the flag beside it.
        unsafe { qjs::JS_IsBool(self.arg(index)) && qjs::JS_VALUE_GET_BOOL(self.arg(index)) }
    }

    /// Adds text or bytes to a buffer of this process, which may hold as much as the heap may and no more.
    fn append(&self, out: &mut Vec<u8>, value: &Val, unix_endings: bool) -> Result<(), Exception> {
        if self.is_string(value.raw()) {
            let mut text = self.js.text(value.raw())?;
            if unix_endings {
                text = text.replace("\r\n", "\n").replace('\r', "\n");
            }
            self.within_limit(out.len() + text.len())?;
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        self.with_bytes(value.raw(), |bytes| {
            self.within_limit(out.len() + bytes.len())?;
            out.extend_from_slice(bytes);
            Ok(())
        })?
    }

    pub(super) fn within_limit(&self, size: usize) -> Result<(), Exception> {
        if size <= self.shared.heap_limit() {
            return Ok(());
        }
        // SAFETY: a live context, a format without arguments.
        unsafe { qjs::JS_ThrowRangeError(self.js.raw(), c"The data is larger than the memory limit of the extension".as_ptr()) };
        Err(Exception)
    }
}

/// The parts of a URL in the order that `url.js` names.
fn parts(ask: &Ask<'_>, url: &Url) -> Answer {
    let origin = quirks::origin(url);
    ask.new_list([
        Some(quirks::href(url)),
        Some(&origin),
        Some(quirks::protocol(url)),
        Some(quirks::username(url)),
        Some(quirks::password(url)),
        Some(quirks::host(url)),
        Some(quirks::hostname(url)),
        Some(quirks::port(url)),
        Some(quirks::pathname(url)),
        Some(quirks::search(url)),
        Some(quirks::hash(url)),
    ])
}

/// Sets a part of a URL; `None` if that was refused.
pub(super) fn change(url: &mut Url, part: u32, value: &str) -> Option<()> {
    match part {
        2 => return quirks::set_protocol(url, value).ok(),
        3 => return quirks::set_username(url, value).ok(),
        4 => return quirks::set_password(url, value).ok(),
        5 => return quirks::set_host(url, value).ok(),
        6 => return quirks::set_hostname(url, value).ok(),
        7 => return quirks::set_port(url, value).ok(),
        8 => quirks::set_pathname(url, value),
        9 => quirks::set_search(url, value),
        10 => quirks::set_hash(url, value),
        _ => return None,
    }
    Some(())
}

fn is_token_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Type and subtype of a content type in lower case, and its boundary.
pub(super) fn content_type(text: &str) -> (String, Option<String>) {
    let mut pieces = text.splitn(2, ';');
    let essence = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut rest = pieces.next().unwrap_or_default();
    while !rest.is_empty() {
        let (key, after) = match rest.find(['=', ';']) {
            Some(at) if rest.as_bytes()[at] == b'=' => (rest[..at].trim(), &rest[at + 1..]),
            Some(at) => {
                rest = &rest[at + 1..];
                continue;
            }
            None => break,
        };
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut chars = quoted.char_indices();
                let mut end = quoted.len();
                while let Some((at, c)) = chars.next() {
                    match c {
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        '\\' => value.extend(chars.next().map(|(_, c)| c)),
                        c => value.push(c),
                    }
                }
                (value, quoted[end..].split_once(';').map_or("", |(_, left)| left))
            }
            None => {
                let (value, left) = after.split_once(';').unwrap_or((after, ""));
                (value.trim_end().to_owned(), left)
            }
        };
        if key.eq_ignore_ascii_case("boundary") && !value.is_empty() {
            return (essence, Some(value));
        }
        rest = left;
    }
    (essence, None)
}

native! {
    /// `urlParse(text, base)`: the parts of a URL, `undefined` if it is none.
    url_parse(ask) => done((|| {
        let text = ask.text(0)?;
        let base = if ask.is_string(ask.arg(1)) { Some(ask.text(1)?) } else { None };
        let url = match base {
            None => Url::parse(&text).ok(),
            Some(base) => Url::parse(&base).ok().and_then(|base| base.join(&text).ok()),
        };
        url.map_or(Ok(qjs::JS_UNDEFINED), |url| parts(ask, &url))
    })());

    /// `urlSet(href, part, value)`: the parts after one was set, `undefined` if that was refused.
    url_set(ask) => done((|| {
        let (href, value) = (ask.text(0)?, ask.text(2)?);
        let (Ok(mut url), Some(part)) = (Url::parse(&href), ask.integer(1)) else { return Ok(qjs::JS_UNDEFINED) };
        change(&mut url, part, &value).map_or(Ok(qjs::JS_UNDEFINED), |()| parts(ask, &url))
    })());

    /// `formParse(text)`: names and values in turn.
    form_parse(ask) => done((|| {
        let text = ask.text(0)?;
        let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
        ask.new_list(pairs.iter().flat_map(|(name, value)| [Some(name.as_ref()), Some(value.as_ref())]))
    })());

    /// `formWrite(list)`: the text of names and values in turn.
    form_write(ask) => done((|| {
        let elements = ask.elements(ask.arg(0))?;
        let mut form = form_urlencoded::Serializer::new(String::new());
        for pair in elements.chunks_exact(2) {
            form.append_pair(&ask.js.text(pair[0].raw())?, &ask.js.text(pair[1].raw())?);
        }
        ask.new_text(&form.finish())
    })());

    /// `encode(text)`: UTF-8.
    encode(ask) => done(ask.js.with_text(ask.arg(0), |bytes| {
        if std::str::from_utf8(bytes).is_ok() { ask.new_bytes(bytes) } else { ask.new_bytes(well_formed(bytes.to_vec()).as_bytes()) }
    }).flatten());

    /// `encodeInto(text, room)`: how many UTF-16 units of a text fit into that many bytes, and these bytes.
    encode_into(ask) => done((|| {
        let text = ask.text(0)?;
        let room = ask.integer(1).unwrap_or(0) as usize;
        let (mut read, mut written) = (0_usize, 0_usize);
        for c in text.chars() {
            if written + c.len_utf8() > room {
                break;
            }
            read += c.len_utf16();
            written += c.len_utf8();
        }
        let array = ask.js.array()?;
        ask.js.set_index(&array, 0, ask.js.own(qjs::__JS_NewFloat64(read as f64))?)?;
        ask.js.set_index(&array, 1, ask.js.own(ask.new_bytes(&text.as_bytes()[..written])?)?)?;
        Ok(array.into_raw())
    })());

    /// `encoding(label)`: the name of an encoding, `undefined` if it isn't there.
    encoding(ask) => done(ask.text(0).and_then(|label| {
        encodings::labelled(&label).map_or(Ok(qjs::JS_UNDEFINED), |encoding| ask.new_text(&encodings::name(encoding)))
    }));

    /// `decode(encoding, bytes, fatal)`: text, `undefined` if it is malformed and that is fatal. A byte order mark stays.
    decode(ask) => done((|| {
        let encoding = encodings::labelled(&ask.text(0)?).unwrap_or(encoding_rs::UTF_8);
        ask.with_bytes(ask.arg(1), |bytes| {
            encodings::decode(encoding, bytes, ask.flag(2)).map_or(Ok(qjs::JS_UNDEFINED), |text| ask.new_text(&text))
        })?
    })());

    /// `unfinished(encoding, bytes)`: how many bytes at the end begin a character that isn't complete.
    unfinished(ask) => done((|| {
        let encoding = encodings::labelled(&ask.text(0)?).unwrap_or(encoding_rs::UTF_8);
        let open = ask.with_bytes(ask.arg(1), |bytes| encodings::open_end(encoding, bytes))?;
        Ok(qjs::JS_MKVAL(qjs::JS_TAG_INT, open as i32))
    })());

    /// `parseJson(bytes)`: the value of a JSON text in UTF-8.
    parse_json(ask) => done(ask.with_bytes(ask.arg(0), |bytes| {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if std::str::from_utf8(bytes).is_ok() {
            ask.js.json(bytes)
        } else {
            ask.js.json(String::from_utf8_lossy(bytes).as_bytes())
        }
    }).flatten().map(Val::into_raw));

    /// `isBytes(value)`: whether it is a `Uint8Array`.
    is_bytes(ask) => {
        // SAFETY: asks about a live value.
        let is = unsafe { qjs::JS_GetTypedArrayType(ask.arg(0)) } == qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8 as i32;
        if is { qjs::JS_TRUE } else { qjs::JS_FALSE }
    };

    /// `copy(bytes)`: the same bytes in a buffer of their own.
    copy(ask) => done(ask.with_bytes(ask.arg(0), |bytes| ask.new_bytes(bytes)).flatten());

    /// `concat(list, unixEndings)`: texts and bytes in a row, as bytes.
    concat(ask) => done((|| {
        let mut out = Vec::new();
        for value in ask.elements(ask.arg(0))? {
            ask.append(&mut out, &value, ask.flag(1))?;
        }
        ask.new_bytes(&out)
    })());

    /// `headerName(text)`: in lower case, `undefined` if it can't be one.
    header_name(ask) => done((|| {
        let text = ask.text(0)?;
        if is_token_text(&text) { ask.new_text(&text.to_ascii_lowercase()) } else { Ok(qjs::JS_UNDEFINED) }
    })());

    /// `headerValue(text)`: without space around it, `undefined` if it can't be one.
    header_value(ask) => done((|| {
        let text = ask.text(0)?;
        let value = text.trim_matches(['\t', '\n', '\r', ' ']);
        let valid = value.chars().all(|c| c <= '\u{FF}' && !matches!(c, '\0' | '\n' | '\r'));
        if valid { ask.new_text(value) } else { Ok(qjs::JS_UNDEFINED) }
    })());

    /// `isToken(text)`: whether it can be a method.
    is_token(ask) => match ask.text(0) {
        Ok(text) if is_token_text(&text) => qjs::JS_TRUE,
        Ok(_) => qjs::JS_FALSE,
        Err(Exception) => qjs::JS_EXCEPTION,
    };

    /// `blobType(text)`: in lower case, empty if it can't be one.
    blob_type(ask) => done((|| {
        let text = ask.text(0)?;
        let valid = text.bytes().all(|b| (0x20..=0x7E).contains(&b));
        ask.new_text(&if valid { text.to_ascii_lowercase() } else { String::new() })
    })());

    /// `mime(text)`: type and boundary of a content type.
    mime(ask) => done((|| {
        let (essence, boundary) = content_type(&ask.text(0)?);
        ask.new_list([Some(essence.as_str()), boundary.as_deref()])
    })());

    /// `multipartRead(bytes, boundary)`: for each part name, file name, type and content, which is bytes if there is a file name;
    /// `undefined` if the body isn't well formed.
    multipart_read(ask) => done((|| {
        let boundary = ask.text(1)?;
        ask.with_bytes(ask.arg(0), |bytes| {
            let Some(parts) = multipart::read(bytes, &boundary) else { return Ok(qjs::JS_UNDEFINED) };
            let array = ask.js.array()?;
            let mut next = 0;
            let mut add = |value: Answer| {
                next += 1;
                ask.js.set_index(&array, next - 1, ask.js.own(value?)?)
            };
            for part in &parts {
                add(ask.new_text(&part.name))?;
                add(part.filename.as_ref().map_or(Ok(qjs::JS_UNDEFINED), |name| ask.new_text(name)))?;
                let default = if part.content_type.is_empty() { "text/plain" } else { &part.content_type };
                add(ask.new_text(default))?;
                add(match part.filename {
                    Some(_) => ask.new_bytes(part.content),
                    None => ask.new_text(&String::from_utf8_lossy(part.content)),
                })?;
            }
            Ok(array.into_raw())
        })?
    })());

    /// `multipartWrite(list, boundary)`: the body of parts that stand in the list as `multipartRead` answers them; undefined where one of
    /// them holds the boundary.
    multipart_write(ask) => done((|| {
        let boundary = ask.text(1)?;
        let elements = ask.elements(ask.arg(0))?;
        let mut out = Vec::new();
        for part in elements.chunks_exact(4) {
            let name = ask.js.text(part[0].raw())?;
            let filename = if ask.is_string(part[1].raw()) { Some(ask.js.text(part[1].raw())?) } else { None };
            let content_type = ask.js.text(part[2].raw())?;
            let mut content = Vec::new();
            ask.append(&mut content, &part[3], false)?;
            multipart::write(&mut out, &boundary, &Part { name, filename, content_type, content: &content });
            ask.within_limit(out.len())?;
        }
        multipart::finish(&mut out, &boundary);
        let parts = elements.len() / 4;
        if multipart::is_bounded(&out, &boundary, parts) { ask.new_bytes(&out) } else { Ok(qjs::JS_UNDEFINED) }
    })());
}
