//! One message: what somebody wants to send, checked, and the text that goes over the wire.
//!
//! Everything that ends up in a header is refused with a control character in it, so no value can begin a header of its own. Knows no
//! server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Attachment, Body, Mailbox, Mailboxes, Message as Mime, MultiPart, SinglePart};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::html;
use crate::error::{Error, ErrorCode, Result};
use crate::services::Item;
use crate::services::query::{clip, nearest, show};

/// Recipients of one message at most, copies included.
const MAX_RECIPIENTS: usize = 100;
/// Attachments of one message at most.
const MAX_ATTACHMENTS: usize = 50;
/// Bytes of one message at most, its texts and attachments together.
const MAX_SIZE: usize = 10 << 20;
/// Longest subject, in characters: what a line of a message may have.
const MAX_SUBJECT: usize = 998;
/// Longest name of a file, in characters.
const MAX_FILENAME: usize = 255;

const MEMBERS: [&str; 9] = ["to", "cc", "bcc", "replyTo", "from", "subject", "text", "html", "attachments"];
const ATTACHMENT_MEMBERS: [&str; 4] = ["filename", "content", "contentType", "encoding"];

/// A message that can be sent, and kept until it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// `Name <address>`, here and below.
    pub from: String,
    to: Vec<String>,
    cc: Vec<String>,
    bcc: Vec<String>,
    reply_to: Vec<String>,
    subject: String,
    text: String,
    html: Option<String>,
    attachments: Vec<File>,
    /// With its angle brackets. The same at every attempt, so that whoever gets a message twice can tell.
    pub id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct File {
    name: String,
    kind: String,
    /// Base64.
    content: String,
}

impl Message {
    /// Reads `{ to, subject, text | html, cc?, bcc?, replyTo?, from?, attachments? }`. `key` makes its id.
    ///
    /// # Errors
    /// 400, naming the member, and in a list the entry, that is wrong; 413 where it is too large.
    pub fn parse(options: &Item, default_from: Option<&str>, key: uuid::Uuid) -> Result<Self> {
        if let Some(other) = options.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(wrong("mail", &format!("has no member `{}`{}", clip(other), nearest(other, MEMBERS))));
        }
        let list = |name: &str| addresses(name, options.get(name));
        let (to, cc, bcc, reply_to) = (list("to")?, list("cc")?, list("bcc")?, list("replyTo")?);
        match to.len() + cc.len() + bcc.len() {
            0 => return Err(wrong("to", "needs an address at least, here or in `cc` or `bcc`")),
            1..=MAX_RECIPIENTS => {}
            n => return Err(wrong("to", &format!("may have {MAX_RECIPIENTS} addresses together with `cc` and `bcc`, not {n}"))),
        }
        let from = match (&list("from")?[..], default_from) {
            ([one], _) => one.clone(),
            ([], Some(default)) => default.to_owned(),
            ([], None) => return Err(wrong("from", "is needed: neither the mail nor `SMTP_FROM` names an address")),
            _ => return Err(wrong("from", "must be one address")),
        };
        let subject = text("subject", options.get("subject"))?.ok_or_else(|| wrong("subject", "is needed"))?;
        plain("subject", &subject, MAX_SUBJECT)?;
        let (text, html) = match (text("text", options.get("text"))?, text("html", options.get("html"))?) {
            (None, None) => return Err(wrong("text", "is needed, or `html`")),
            (Some(text), html) => (text, html),
            (None, Some(html)) => (html::to_text(&html), Some(html)),
        };
        let attachments = attachments(options.get("attachments"))?;
        let size =
            text.len() + html.as_ref().map_or(0, String::len) + attachments.iter().map(|file| file.content.len() / 4 * 3).sum::<usize>();
        if size > MAX_SIZE {
            let message = format!("mail: texts and attachments may have {MAX_SIZE} bytes together, not {size}");
            return Err(Error::new(ErrorCode::PayloadTooLarge, message).with_field("attachments"));
        }
        let domain = mailbox(&from)?.email.domain().to_owned();
        Ok(Self { from, to, cc, bcc, reply_to, subject, text, html, attachments, id: format!("<{key}@{domain}>") })
    }

    /// Who sends it, as the server is told.
    pub fn sender(&self) -> Result<Address> {
        Ok(mailbox(&self.from)?.email)
    }

    /// Whom the server is to bring it to, each once.
    pub fn recipients(&self) -> Result<Vec<Address>> {
        let mut all: Vec<Address> = Vec::new();
        for text in self.to.iter().chain(&self.cc).chain(&self.bcc) {
            let address = mailbox(text)?.email;
            if !all.contains(&address) {
                all.push(address);
            }
        }
        Ok(all)
    }

    /// The message as it goes over the wire. `bcc` isn't in it.
    pub fn wire(&self, now: DateTime<Utc>) -> Result<Vec<u8>> {
        let built = |what: &dyn std::fmt::Display| Error::internal(format!("a mail can't be put together: {what}"));
        let mut builder =
            Mime::builder().date(now.into()).message_id(Some(self.id.clone())).from(mailbox(&self.from)?).subject(self.subject.clone());
        for text in &self.to {
            builder = builder.to(mailbox(text)?);
        }
        for text in &self.cc {
            builder = builder.cc(mailbox(text)?);
        }
        for text in &self.reply_to {
            builder = builder.reply_to(mailbox(text)?);
        }
        // Who is told of nobody, as a mail to `bcc` alone is, still has an envelope.
        let recipients = self.recipients()?;
        let envelope = lettre::address::Envelope::new(Some(self.sender()?), recipients).map_err(|e| built(&e))?;
        builder = builder.envelope(envelope);
        let plain = || SinglePart::plain(self.text.clone());
        let alternative =
            self.html.as_ref().map(|html| MultiPart::alternative().singlepart(plain()).singlepart(SinglePart::html(html.clone())));
        let mime = match (alternative, self.attachments.is_empty()) {
            (None, true) => builder.singlepart(plain()),
            (Some(alternative), true) => builder.multipart(alternative),
            (alternative, false) => {
                let mut whole = match alternative {
                    Some(alternative) => MultiPart::mixed().multipart(alternative),
                    None => MultiPart::mixed().singlepart(plain()),
                };
                for file in &self.attachments {
                    let content = STANDARD.decode(&file.content).map_err(|e| built(&e))?;
                    // Whatever the bytes are: as text, line ends and zeros among them would not arrive as they are.
                    let content = Body::new_with_encoding(content, ContentTransferEncoding::Base64);
                    let content = content.map_err(|_| built(&"an attachment can't be encoded"))?;
                    let kind = ContentType::parse(&file.kind).map_err(|e| built(&e))?;
                    whole = whole.singlepart(Attachment::new(file.name.clone()).body(content, kind));
                }
                builder.multipart(whole)
            }
        };
        Ok(mime.map_err(|e| built(&e))?.formatted())
    }
}

/// One address with or without a name.
///
/// # Errors
/// 400 where it isn't one.
pub fn mailbox(text: &str) -> Result<Mailbox> {
    text.parse().map_err(|_| Error::payload(format!("`{}` isn't an e-mail address", clip(text))))
}

/// A text, a list of texts or of `{ name, address }`; a text may hold several with commas between.
fn addresses(member: &str, value: Option<&Value>) -> Result<Vec<String>> {
    let entries = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(entries)) => entries.iter().enumerate().map(|(at, entry)| (format!("{member}[{at}]"), entry)).collect(),
        Some(one) => vec![(member.to_owned(), one)],
    };
    let mut all = Vec::new();
    for (place, entry) in entries {
        match entry {
            Value::String(text) => {
                plain(&place, text, 10_000)?;
                let boxes: Mailboxes = text.parse().map_err(|_| wrong(&place, &format!("isn't an e-mail address: {}", clip(text))))?;
                all.extend(boxes.iter().map(ToString::to_string));
            }
            Value::Object(parts) if parts.keys().all(|name| ["name", "address"].contains(&name.as_str())) => {
                let address = text(&place, parts.get("address"))?.unwrap_or_default();
                plain(&place, &address, 320)?;
                let parsed =
                    address.parse::<Address>().map_err(|_| wrong(&place, &format!("isn't an e-mail address: {}", clip(&address))))?;
                let name = text(&place, parts.get("name"))?.filter(|name| !name.is_empty());
                name.as_ref().map_or(Ok(()), |name| plain(&place, name, 320))?;
                all.push(Mailbox::new(name, parsed).to_string());
            }
            other => return Err(wrong(&place, &format!("must be an address, or {{ name, address }}, not: {}", show(other)))),
        }
    }
    Ok(all)
}

fn attachments(value: Option<&Value>) -> Result<Vec<File>> {
    let entries = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(entries)) if entries.len() <= MAX_ATTACHMENTS => entries,
        Some(Value::Array(entries)) => {
            return Err(wrong("attachments", &format!("may have {MAX_ATTACHMENTS} entries, not {}", entries.len())));
        }
        Some(other) => return Err(wrong("attachments", &format!("must be an array, not: {}", show(other)))),
    };
    let mut files = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let place = |member: &str| format!("attachments[{at}].{member}");
        let Value::Object(entry) = entry else {
            return Err(wrong(&format!("attachments[{at}]"), &format!("must be an object, not: {}", show(entry))));
        };
        if let Some(other) = entry.keys().find(|name| !ATTACHMENT_MEMBERS.contains(&name.as_str())) {
            return Err(wrong(&place(clip(other)), &format!("isn't known; there are {}", ATTACHMENT_MEMBERS.join(", "))));
        }
        let needed = |member: &str| text(&place(member), entry.get(member))?.ok_or_else(|| wrong(&place(member), "is needed"));
        let name = needed("filename")?;
        plain(&place("filename"), &name, MAX_FILENAME)?;
        if name.is_empty() {
            return Err(wrong(&place("filename"), "is needed"));
        }
        let content = needed("content")?;
        let content = match text(&place("encoding"), entry.get("encoding"))?.as_deref() {
            None | Some("utf8" | "utf-8") => STANDARD.encode(content),
            Some("base64") => {
                let bytes = STANDARD.decode(&content).map_err(|_| wrong(&place("content"), "isn't base64"))?;
                STANDARD.encode(bytes)
            }
            Some(other) => return Err(wrong(&place("encoding"), &format!("is `utf8` or `base64`, not: {}", clip(other)))),
        };
        let kind = text(&place("contentType"), entry.get("contentType"))?.unwrap_or_else(|| "application/octet-stream".to_owned());
        plain(&place("contentType"), &kind, MAX_FILENAME)?;
        if !kind.is_ascii() || ContentType::parse(&kind).is_err() {
            return Err(wrong(&place("contentType"), &format!("must be a media type such as `application/pdf`, not: {}", clip(&kind))));
        }
        files.push(File { name, kind, content });
    }
    Ok(files)
}

/// A text, if there is anything.
fn text(place: &str, value: Option<&Value>) -> Result<Option<String>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong(place, &format!("must be a text, not: {}", show(other)))),
    }
}

/// What stands in a header is one line.
fn plain(place: &str, text: &str, max: usize) -> Result<()> {
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(wrong(place, "must not hold line breaks or other control characters"));
    }
    if text.chars().count() > max {
        return Err(wrong(place, &format!("must have at most {max} characters")));
    }
    Ok(())
}

fn wrong(place: &str, why: &str) -> Error {
    let field = place.split(['[', '.']).next().unwrap_or(place);
    Error::payload(format!("mail: `{place}` {why}")).with_field(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(change: Value) -> Result<Message> {
        let mut options = json!({ "to": "ann@example.com", "subject": "Hello", "text": "Hi" }).as_object().expect("an object").clone();
        options.extend(change.as_object().expect("an object").clone());
        Message::parse(&options, Some("Trellis <noreply@example.com>"), uuid::Uuid::nil())
    }

    fn wire(change: Value) -> String {
        let message = parse(change).expect("valid");
        String::from_utf8(message.wire(DateTime::UNIX_EPOCH).expect("built")).expect("text")
    }

    #[test]
    fn a_plain_message() {
        let text = wire(
            json!({ "subject": "Grüße", "cc": ["Bob <bob@example.com>", { "name": "Zoë", "address": "zoe@example.com" }], "bcc": "secret@example.com", "replyTo": "help@example.com" }),
        );
        for part in [
            "From: Trellis <noreply@example.com>\r\n",
            "To: ann@example.com\r\n",
            "Reply-To: help@example.com\r\n",
            "Message-ID: <00000000-0000-0000-0000-000000000000@example.com>\r\n",
            "Date: Thu, 01 Jan 1970",
            "\r\n\r\nHi",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("secret@") && text.is_ascii(), "{text}");
        let message = parse(json!({ "to": "a@x.org, B <b@x.org>", "bcc": ["a@x.org"] })).expect("valid");
        assert_eq!(message.recipients().expect("valid").iter().map(ToString::to_string).collect::<Vec<_>>(), ["a@x.org", "b@x.org"]);
    }

    #[test]
    fn html_gets_a_text_beside_it_and_files_stand_behind_both() {
        let text = wire(
            json!({ "text": null, "html": "<p>Hi <b>Ann</b></p>", "attachments": [{ "filename": "a.txt", "content": "one" }, { "filename": "ä.bin", "content": "AAEC", "encoding": "base64", "contentType": "application/pdf" }] }),
        );
        for part in
            ["multipart/mixed", "multipart/alternative", "Hi Ann", "text/html", "filename=\"a.txt\"", "application/pdf", "AAEC", "b25l"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn no_value_begins_a_header_of_its_own() {
        for (change, place) in [
            (json!({ "subject": "a\r\nBcc: x@example.com" }), "subject"),
            (json!({ "subject": "a\nb" }), "subject"),
            (json!({ "to": "ann@example.com\r\nBcc: x@example.com" }), "to"),
            (json!({ "to": ["ann@example.com", "bob@example.com\n"] }), "to[1]"),
            (json!({ "cc": { "name": "a\r\nX: y", "address": "a@example.com" } }), "cc"),
            (json!({ "from": { "name": "a", "address": "a@example.com\r\nDATA" } }), "from"),
            (json!({ "replyTo": "a\u{85}@example.com" }), "replyTo"),
            (json!({ "attachments": [{ "filename": "a\"\r\nX: y", "content": "" }] }), "attachments[0].filename"),
            (
                json!({ "attachments": [{ "filename": "a", "content": "", "contentType": "text/plain\r\nX: y" }] }),
                "attachments[0].contentType",
            ),
        ] {
            let error = parse(change.clone()).expect_err("refused");
            assert!(error.message().contains(&format!("`{place}`")) && error.message().contains("control"), "{change}: {error}");
        }
        let text = wire(
            json!({ "to": { "name": "x\" <evil@example.com>, \"y", "address": "ann@example.com" }, "attachments": [{ "filename": "a\"; name=\"b", "content": "" }] }),
        );
        assert!(text.lines().all(|line| !line.to_lowercase().starts_with("bcc")), "{text}");
        assert_eq!(
            parse(json!({ "to": { "name": "x\" <evil@example.com>, \"y", "address": "ann@example.com" } }))
                .expect("valid")
                .recipients()
                .expect("valid")
                .len(),
            1
        );
    }

    #[test]
    fn a_mistake_is_named_with_its_entry() {
        for (change, part) in [
            (json!({ "to": null }), "`to` needs an address"),
            (json!({ "to": ["ann@example.com", "nobody"] }), "`to[1]` isn't an e-mail address: nobody"),
            (json!({ "to": 5 }), "`to` must be an address"),
            (json!({ "to": "" }), "`to`"),
            (json!({ "to": (0..101).map(|n| format!("a{n}@example.com")).collect::<Vec<_>>() }), "100 addresses"),
            (json!({ "subject": null }), "`subject` is needed"),
            (json!({ "text": null }), "`text` is needed, or `html`"),
            (json!({ "text": 5 }), "`text` must be a text"),
            (json!({ "from": ["a@example.com", "b@example.com"] }), "one address"),
            (json!({ "form": "a@example.com" }), "did you mean `from`"),
            (json!({ "attachments": {} }), "must be an array"),
            (json!({ "attachments": [{ "content": "" }] }), "`attachments[0].filename` is needed"),
            (json!({ "attachments": [{ "filename": "x", "content": "%%", "encoding": "base64" }] }), "isn't base64"),
            (json!({ "attachments": [{ "filename": "x", "content": "", "contentType": "pdf" }] }), "media type"),
            (json!({ "attachments": [{ "filename": "x", "path": "/etc/passwd" }] }), "`attachments[0].path` isn't known"),
            (json!({ "text": "x".repeat(MAX_SIZE + 1) }), "bytes together"),
        ] {
            let error = parse(change).expect_err(part);
            assert!(error.message().contains(part), "{part}: {error}");
        }
        assert!(
            Message::parse(
                &Item::from_iter([("to".to_owned(), json!("a@b.c")), ("subject".to_owned(), json!("")), ("text".to_owned(), json!(""))]),
                None,
                uuid::Uuid::nil()
            )
            .expect_err("no sender")
            .message()
            .contains("`SMTP_FROM`")
        );
    }
}
