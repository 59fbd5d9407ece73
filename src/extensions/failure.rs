//! What the end of a run means: to the caller, to the author, and to the breaker.

use std::time::Duration;

use crate::auth::Accountability;
use crate::error::{AuthorChoice, Error, ErrorCode};
use crate::sandbox::{CallError, Cut, Failure, Thrown, ThrownKind};

use super::breaker::End;
use super::trouble::Trouble;

/// Longest message of an author that a caller gets, in characters.
const MAX_MESSAGE: usize = 1_000;

/// What a failed run means.
pub struct Told {
    /// For the caller of the operation.
    pub error: Error,
    /// For the author: everything.
    pub trouble: Trouble,
    /// For the breaker.
    pub end: End,
    /// Whether the extension couldn't run at all, so that `failure_mode: open` may skip it.
    pub could_not_run: bool,
}

/// Codes of a service's refusal that reach the caller as they are, because they are about the caller or about the operation as a whole.
const PASSED_ON: [ErrorCode; 6] = [
    ErrorCode::Forbidden,
    ErrorCode::FailedValidation,
    ErrorCode::ExtensionRecursion,
    ErrorCode::TransactionTimeout,
    ErrorCode::TransactionConflict,
    ErrorCode::RequestTimeout,
];

/// Tells a failure of the extension called `name`.
pub fn tell(failure: Failure, name: &str, who: &Accountability, timeout: Duration) -> Told {
    let whose = if who.is_admin() { format!("Extension `{name}`") } else { "An extension".to_owned() };
    let fault = |what: &str, code: ErrorCode, trouble: Trouble| Told {
        error: Error::new(code, format!("{whose} {what}")),
        trouble,
        end: End::Fault,
        could_not_run: false,
    };
    let general = |what: &str, code: ErrorCode, report: String| fault(what, code, Trouble::general(code, report));
    const SLOW: &str = "took longer than it may";
    match failure {
        Failure::Thrown(thrown) => thrown_by(*thrown, &whose),
        Failure::Timeout { cut } => {
            let code = ErrorCode::ExtensionTimeout;
            fault(SLOW, code, Trouble::cut(code, &format!("It took longer than its {} ms", timeout.as_millis()), cut))
        }
        Failure::OutOfMemory { cut } => {
            let code = ErrorCode::ExtensionOutOfMemory;
            fault("needed more memory than it may have", code, Trouble::cut(code, "It reached its memory limit", cut))
        }
        Failure::HostDeadline => {
            let report = "It kept a transaction open for longer than `TX_MAX_MS`".to_owned();
            let what = "kept a transaction open for longer than it may";
            Told { end: End::Unknown, ..general(what, ErrorCode::TransactionTimeout, report) }
        }
        Failure::SlowBody => {
            let report = "The body of a request didn't arrive within the time limit of the call".to_owned();
            let message = "The body of the request took longer to arrive than the call may take";
            let told = general("", ErrorCode::RequestBodyTimeout, report);
            Told { error: Error::new(ErrorCode::RequestBodyTimeout, message), end: End::Unknown, ..told }
        }
        // A slow client does that to a good extension too.
        Failure::StreamCut(why) => {
            Told { end: End::Ran, ..general(SLOW, ErrorCode::ExtensionTimeout, format!("Its streaming answer was cut off: {why}")) }
        }
        Failure::PayloadTooLarge(message) => {
            let what = "was given or answered more than `EXTENSION_MAX_PAYLOAD`";
            Told { end: End::Ran, ..general(what, ErrorCode::ExtensionPayloadTooLarge, message) }
        }
        Failure::NotSerializable(message) => {
            Told { end: End::Ran, ..general("failed", ErrorCode::ExtensionFailed, format!("Its result can't be sent: {message}")) }
        }
        Failure::Crashed { had_host_calls } => {
            let why = if had_host_calls { " after it had called services, so it wasn't run again" } else { " again and again" };
            general("can't run at the moment", ErrorCode::ExtensionUnavailable, format!("Its worker died{why}"))
        }
        Failure::Busy { retry_after, for_memory } => {
            let (what, report) = match for_memory {
                false => ("has as many calls as it may have", "It had as many calls in flight and waiting as it may have"),
                true => ("can't run at the moment", "It waited for memory: all workers together have `WORKER_MEMORY_MB`"),
            };
            let told = general(what, ErrorCode::ExtensionBusy, report.to_owned());
            Told { error: told.error.with_retry_after(retry_after.as_secs().max(1)), end: End::Unknown, could_not_run: true, ..told }
        }
        Failure::Load(load) => {
            let code = ErrorCode::ExtensionUnavailable;
            let told = fault("can't run: its code doesn't load", code, Trouble::load(code, &load));
            Told { end: End::Unknown, could_not_run: true, ..told }
        }
        Failure::NoWorker(why) => {
            let told = general("can't run at the moment", ErrorCode::ExtensionUnavailable, format!("No worker could be started: {why}"));
            Told { end: End::Unknown, could_not_run: true, ..told }
        }
    }
}

/// A failed run of what is called `name` in words, for whoever may read everything: what, where, and the lines around it.
pub fn report(failure: Failure, name: &str, who: &Accountability, timeout: Duration) -> String {
    tell(failure, name, who, timeout).trouble.text(&[])
}

/// The operation's own limit came before the extension's.
pub fn cut_by_operation(name: &str, cut: Option<Box<Cut>>) -> Told {
    let code = ErrorCode::RequestTimeout;
    let trouble = Trouble::cut(code, &format!("`{name}` was still running when its operation reached `REQUEST_TIMEOUT_MS`"), cut);
    let error = Error::new(code, "The operation took longer than it may, with all its hooks");
    Told { error, trouble, end: End::Unknown, could_not_run: false }
}

/// A cool-down, or code that didn't load: it isn't even tried.
pub fn unavailable(name: &str, who: &Accountability, why: &str, retry_after_secs: Option<u64>) -> Error {
    let whose = if who.is_admin() { format!("Extension `{name}`") } else { "An extension".to_owned() };
    let error = Error::new(ErrorCode::ExtensionUnavailable, format!("{whose} that guards this can't run at the moment")).with_detail(why);
    match retry_after_secs {
        Some(secs) => error.with_retry_after(secs),
        None => error,
    }
}

fn thrown_by(thrown: Thrown, whose: &str) -> Told {
    let failed = || Error::new(ErrorCode::ExtensionFailed, format!("{whose} failed: the log has the details under this request's id"));
    let error = match &thrown.kind {
        ThrownKind::Decision => decision(&thrown),
        ThrownKind::Service(refusal) => passed_on(refusal).unwrap_or_else(failed),
        ThrownKind::Bug => failed(),
    };
    let trouble = Trouble::thrown(thrown, error.wire_code());
    Told { error, trouble, end: End::Ran, could_not_run: false }
}

fn decision(thrown: &Thrown) -> Error {
    let message: String = thrown.message.chars().take(MAX_MESSAGE).collect();
    let status = thrown.status.filter(|status| (400..500).contains(status));
    let code =
        thrown.code.clone().filter(|code| (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    Error::new(ErrorCode::ExtensionError, message).with_author_choice(AuthorChoice { status, code })
}

fn passed_on(refusal: &CallError) -> Option<Error> {
    let code = PASSED_ON.into_iter().find(|code| code.name() == refusal.code)?;
    let error = Error::new(code, refusal.message.clone());
    Some(match refusal.extra.as_ref().and_then(|extra| extra.get("field")?.as_str()) {
        Some(field) => error.with_field(field),
        None => error,
    })
}
