//! What can go wrong, as meanings with stable names.
//!
//! An [`Error`] says what happened, to whom it may be told and what the log should know besides. It knows no HTTP, no JavaScript and
//! no SQL: each door (`http/error.rs`, `bridge/`) decides what of it a caller gets to see.

use std::fmt;

/// Declares every code once: its variant, its name on the wire and the class of answer it stands for.
///
/// The class is the number that both doors use: the HTTP status, and `error.status` in JavaScript.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $class:literal;)*) => {
        /// The meaning of an error. `docs/ERRORS.md` explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[doc = $doc])* $variant,)* }

        impl ErrorCode {
            /// Every code, in the order of declaration.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)*];

            /// The stable name, as in `errors[].extensions.code`.
            pub fn name(self) -> &'static str {
                match self { $(ErrorCode::$variant => $name,)* }
            }

            /// The class of answer, 400 to 599.
            pub fn class(self) -> u16 {
                match self { $(ErrorCode::$variant => $class,)* }
            }
        }
    };
}

codes! {
    /// The body can't be read, or a value in it doesn't fit its field.
    InvalidPayload = "INVALID_PAYLOAD", 400;
    /// A query parameter can't be read, names what doesn't exist, or asks for what isn't allowed.
    InvalidQuery = "INVALID_QUERY", 400;
    /// The key in the path doesn't have the form of the collection's key.
    InvalidId = "INVALID_ID", 400;
    /// The path holds an escape that can't be undone, or a segment that is read differently elsewhere.
    InvalidPath = "INVALID_PATH", 400;
    /// A value is missing or breaks a rule of its field.
    FailedValidation = "FAILED_VALIDATION", 400;
    /// A read without `limit` would answer more rows than `QUERY_LIMIT_MAX`.
    QueryTooLarge = "QUERY_TOO_LARGE", 400;
    /// A filter hook refused the operation: the message is its author's.
    ExtensionError = "EXTENSION_ERROR", 400;
    /// The code of an extension doesn't compile.
    InvalidCode = "INVALID_CODE", 400;
    /// The body of a request came too slowly.
    RequestBodyTimeout = "REQUEST_BODY_TIMEOUT", 408;
    /// Hooks or routes were registered after `register` had ended.
    RegistrationClosed = "REGISTRATION_CLOSED", 400;
    /// Something that waits for the world outside the database was tried while a transaction is open.
    TransactionOpen = "TRANSACTION_OPEN", 400;
    /// A dry run recorded a `fetch` that none of its mocks answers.
    FetchRecorded = "FETCH_RECORDED", 400;
    /// A filter tried to change the schema.
    DdlInFilter = "DDL_IN_FILTER", 400;
    /// A signed-in caller is needed.
    Unauthorized = "UNAUTHORIZED", 401;
    /// E-mail, password or token are not right.
    InvalidCredentials = "INVALID_CREDENTIALS", 401;
    /// The access token was right and has run out.
    TokenExpired = "TOKEN_EXPIRED", 401;
    /// The caller may not do this.
    Forbidden = "FORBIDDEN", 403;
    /// A rule of the host's keeps a `fetch` from leaving.
    FetchRefused = "FETCH_REFUSED", 403;
    /// The extension didn't list what this needs among its capabilities.
    CapabilityDenied = "CAPABILITY_DENIED", 403;
    /// There is no such item.
    NotFound = "NOT_FOUND", 404;
    /// There is no such collection.
    CollectionNotFound = "COLLECTION_NOT_FOUND", 404;
    /// No active extension hears the job that was to be enqueued.
    JobNotFound = "JOB_NOT_FOUND", 404;
    /// There is no such route.
    RouteNotFound = "ROUTE_NOT_FOUND", 404;
    /// The route exists, the method doesn't.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405;
    /// The request contradicts what is stored.
    Conflict = "CONFLICT", 409;
    /// A unique field has that value already.
    RecordNotUnique = "RECORD_NOT_UNIQUE", 409;
    /// A foreign key names a row that isn't there.
    InvalidForeignKey = "INVALID_FOREIGN_KEY", 409;
    /// Concurrent transactions got in each other's way too often.
    TransactionConflict = "TRANSACTION_CONFLICT", 409;
    /// `If-Match` names another version than the one that is there.
    PreconditionFailed = "PRECONDITION_FAILED", 412;
    /// The body is larger than allowed.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 413;
    /// An argument or a result of a hook is larger than `EXTENSION_MAX_PAYLOAD`.
    ExtensionPayloadTooLarge = "EXTENSION_PAYLOAD_TOO_LARGE", 413;
    /// The body of a `fetch`, or of its answer, is larger than `EXTENSION_FETCH_MAX_BODY`.
    FetchTooLarge = "FETCH_TOO_LARGE", 413;
    /// The path is longer than the server reads.
    UriTooLong = "URI_TOO_LONG", 414;
    /// The body's content type isn't one that this route reads.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415;
    /// Too many attempts; later again.
    RequestsExceeded = "REQUESTS_EXCEEDED", 429;
    /// A mistake of ours. The log has it under the request id.
    Internal = "INTERNAL_SERVER_ERROR", 500;
    /// An extension has a bug. The log and `last_error` have it under the request id.
    ExtensionFailed = "EXTENSION_FAILED", 500;
    /// A call reached the memory limit of its extension.
    ExtensionOutOfMemory = "EXTENSION_OUT_OF_MEMORY", 500;
    /// A `fetch` got no answer, or one that can't be read.
    FetchFailed = "FETCH_FAILED", 502;
    /// The database or the host can't take this now.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", 503;
    /// A hook that guards this operation can't run.
    ExtensionUnavailable = "EXTENSION_UNAVAILABLE", 503;
    /// An extension has as many calls in flight and waiting as it may have.
    ExtensionBusy = "EXTENSION_BUSY", 503;
    /// A transaction was open for longer than `TX_MAX_MS`.
    TransactionTimeout = "TRANSACTION_TIMEOUT", 503;
    /// A call of an extension took longer than its `timeout_ms`.
    ExtensionTimeout = "EXTENSION_TIMEOUT", 504;
    /// A `fetch` took longer than `EXTENSION_FETCH_TIMEOUT_MS`, or its server too long to answer.
    FetchTimeout = "FETCH_TIMEOUT", 504;
    /// An operation with all its hooks took longer than `REQUEST_TIMEOUT_MS`.
    RequestTimeout = "REQUEST_TIMEOUT", 504;
    /// Hooks triggered each other deeper than `EXTENSION_MAX_DEPTH`.
    ExtensionRecursion = "EXTENSION_RECURSION", 508;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The result of anything that can fail with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One failure: a message for the caller, and what only the log may know.
///
/// Boxed inside, so that a `Result` on the hot path stays one word wide.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: String,
    field: Option<String>,
    detail: Option<String>,
    author: Option<AuthorChoice>,
    retry_after_secs: Option<u64>,
    extra: Option<serde_json::Map<String, serde_json::Value>>,
    report: Option<Report>,
}

/// What the database itself said of a failure, for the raw client alone: no other answer shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The SQLSTATE, or the code that PostgREST has for it.
    pub state: String,
    /// What is wrong.
    pub message: String,
    /// With what.
    pub details: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What an author's thrown error chose for the answer instead of 400 and `EXTENSION_ERROR`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorChoice {
    /// 400 to 499.
    pub status: Option<u16>,
    /// Replaces `EXTENSION_ERROR`.
    pub code: Option<String>,
}

impl Error {
    /// An error whose `message` the caller may read: it names no SQL, no path and no stack.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            field: None,
            detail: None,
            author: None,
            retry_after_secs: None,
            extra: None,
            report: None,
        }))
    }

    /// A mistake of ours: the caller reads a neutral sentence, the log reads `detail`.
    pub fn internal(detail: impl fmt::Display) -> Self {
        Self::new(ErrorCode::Internal, "Something went wrong on the server").with_detail(detail.to_string())
    }

    /// "You may not …": 403.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    /// A malformed body or value: 400.
    pub fn payload(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidPayload, message)
    }

    /// A malformed query: 400.
    pub fn query(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidQuery, message)
    }

    /// Names the field that the error is about.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Adds what only the log may know.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Takes over the status and code that the author of a hook chose.
    #[must_use]
    pub fn with_author_choice(mut self, choice: AuthorChoice) -> Self {
        self.0.author = Some(choice);
        self
    }

    /// Says after how many seconds another try makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, secs: u64) -> Self {
        self.0.retry_after_secs = Some(secs);
        self
    }

    /// Adds one more member to `errors[].extensions`.
    #[must_use]
    pub fn with_extra(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0.extra.get_or_insert_default().insert(key.to_owned(), value.into());
        self
    }

    /// Adds what the raw client is told.
    #[must_use]
    pub fn with_report(mut self, report: Report) -> Self {
        self.0.report = Some(report);
        self
    }

    /// What the raw client is told.
    pub fn report(&self) -> Option<&Report> {
        self.0.report.as_ref()
    }

    /// The meaning.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The name on the wire: the author's where one was chosen.
    pub fn wire_code(&self) -> &str {
        self.0.author.as_ref().and_then(|a| a.code.as_deref()).unwrap_or(self.0.code.name())
    }

    /// The class of answer, 400 to 599: the author's where one was chosen.
    pub fn class(&self) -> u16 {
        self.0.author.as_ref().and_then(|a| a.status).unwrap_or(self.0.code.class())
    }

    /// What the caller may read.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field that the error is about.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// Whether an extension is what failed.
    pub fn is_of_extension(&self) -> bool {
        self.code().name().starts_with("EXTENSION_")
    }

    /// What only the log may know.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Seconds after which another try makes sense.
    pub fn retry_after_secs(&self) -> Option<u64> {
        self.0.retry_after_secs
    }

    /// Further members of `errors[].extensions`.
    pub fn extra(&self) -> Option<&serde_json::Map<String, serde_json::Value>> {
        self.0.extra.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.wire_code(), self.0.message)?;
        match &self.0.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
