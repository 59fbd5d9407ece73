//! How the end of a run is told: to the caller, to the log and `last_error`, and to the breaker.

use crate::auth::Accountability;
use crate::error::{AuthorChoice, Error, ErrorCode};
use crate::sandbox::{CallError, Failure, LoadFailure, Problem, Thrown, ThrownKind};

use super::breaker::End;

/// Longest message of an author that a caller gets, in characters.
const MAX_MESSAGE: usize = 1_000;

/// What a failed run means.
pub struct Told {
    /// For the caller of the operation.
    pub error: Error,
    /// For the log and `last_error`: everything.
    pub report: String,
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
pub fn tell(failure: Failure, name: &str, who: &Accountability, timeout: std::time::Duration) -> Told {
    let whose = if who.is_admin() { format!("Extension `{name}`") } else { "An extension".to_owned() };
    let fault = |code: ErrorCode, what: &str, report: String| Told {
        error: Error::new(code, format!("{whose} {what}")).with_detail(report.clone()),
        report,
        end: End::Fault,
        could_not_run: false,
    };
    match failure {
        Failure::Thrown(thrown) => thrown_by(*thrown, &whose),
        Failure::Timeout { stack } => {
            let at = stack.map(|s| format!("\n{s}")).unwrap_or_default();
            let report = format!("It took longer than its {} ms{at}", timeout.as_millis());
            fault(ErrorCode::ExtensionTimeout, "took longer than it may", report)
        }
        Failure::HostDeadline => Told {
            end: End::Unknown,
            ..fault(
                ErrorCode::TransactionTimeout,
                "kept a transaction open for longer than it may",
                "It kept a transaction open for longer than `TX_MAX_MS`".to_owned(),
            )
        },
        Failure::SlowBody => Told {
            error: Error::new(ErrorCode::RequestBodyTimeout, "The body of the request took longer to arrive than the call may take"),
            report: "The body of a request didn't arrive within the time limit of the call".to_owned(),
            end: End::Unknown,
            could_not_run: false,
        },
        // A slow client does that to a good extension too.
        Failure::StreamCut(why) => Told {
            end: End::Ran,
            ..fault(ErrorCode::ExtensionTimeout, "took longer than it may", format!("Its streaming answer was cut off: {why}"))
        },
        Failure::OutOfMemory => {
            fault(ErrorCode::ExtensionOutOfMemory, "needed more memory than it may have", "It reached its memory limit".to_owned())
        }
        Failure::PayloadTooLarge(message) => Told {
            end: End::Ran,
            ..fault(ErrorCode::ExtensionPayloadTooLarge, "was given or answered more than `EXTENSION_MAX_PAYLOAD`", message)
        },
        Failure::NotSerializable(message) => {
            Told { end: End::Ran, ..fault(ErrorCode::ExtensionFailed, "failed", format!("Its result can't be sent: {message}")) }
        }
        Failure::Crashed { had_host_calls } => {
            let report = format!(
                "Its worker died{}",
                if had_host_calls { " after it had called services, so it wasn't run again" } else { " again and again" }
            );
            fault(ErrorCode::ExtensionUnavailable, "can't run at the moment", report)
        }
        Failure::Busy { retry_after } => {
            let secs = retry_after.as_secs().max(1);
            let told = fault(
                ErrorCode::ExtensionBusy,
                "has as many calls as it may have",
                "It had as many calls in flight and waiting as it may have".to_owned(),
            );
            Told { error: told.error.with_retry_after(secs), end: End::Unknown, could_not_run: true, ..told }
        }
        Failure::Load(load) => Told {
            end: End::Unknown,
            could_not_run: true,
            ..fault(ErrorCode::ExtensionUnavailable, "can't run: its code doesn't load", load_report(&load))
        },
        Failure::NoWorker(why) => Told {
            end: End::Unknown,
            could_not_run: true,
            ..fault(ErrorCode::ExtensionUnavailable, "can't run at the moment", format!("No worker could be started: {why}"))
        },
    }
}

/// The operation's own limit came before the extension's.
pub fn cut_by_operation(name: &str) -> Told {
    let report = format!("`{name}` was still running when its operation reached `REQUEST_TIMEOUT_MS`");
    let error =
        Error::new(ErrorCode::RequestTimeout, "The operation took longer than it may, with all its hooks").with_detail(report.clone());
    Told { error, report, end: End::Unknown, could_not_run: false }
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
    let report = report(&thrown);
    let error = match &thrown.kind {
        ThrownKind::Decision => decision(&thrown),
        ThrownKind::Service(refusal) => match passed_on(refusal) {
            Some(error) => error.with_detail(report.clone()),
            None => failed(whose, &report),
        },
        ThrownKind::Bug => failed(whose, &report),
    };
    Told { error, report, end: End::Ran, could_not_run: false }
}

fn failed(whose: &str, report: &str) -> Error {
    Error::new(ErrorCode::ExtensionFailed, format!("{whose} failed: the log has the details under this request's id")).with_detail(report)
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

/// Everything there is to say about a throw, for its author.
pub fn report(thrown: &Thrown) -> String {
    let mut text = format!("{}: {}", thrown.name, thrown.message);
    if let Some(code) = &thrown.code {
        text.push_str(&format!(" [{code}]"));
    }
    for part in [&thrown.frame, &thrown.stack].into_iter().flatten() {
        text.push('\n');
        text.push_str(part.trim_end());
    }
    if !thrown.fields.is_empty() {
        text.push_str(&format!("\n{}", serde_json::Value::Object(thrown.fields.clone())));
    }
    text
}

/// Why code doesn't load, for its author: every problem with its place.
pub fn load_report(load: &LoadFailure) -> String {
    load.problems.iter().map(problem_report).collect::<Vec<_>>().join("\n")
}

fn problem_report(problem: &Problem) -> String {
    let place = match (&problem.file, problem.line, problem.column) {
        (Some(file), Some(line), Some(column)) => format!(" ({file}:{line}:{column})"),
        (Some(file), _, _) => format!(" ({file})"),
        (None, Some(line), Some(column)) => format!(" (line {line}, column {column})"),
        (None, Some(line), None) => format!(" (line {line})"),
        (None, None, _) => String::new(),
    };
    let frame = problem.frame.as_ref().map(|f| format!("\n{f}")).unwrap_or_default();
    format!("{}{place}{frame}", problem.message)
}
