//! What to do after an error, for an agent: one sentence for each code, in this server's words and with nothing of the caller's in it.

use crate::error::ErrorCode;

/// The next step.
pub fn next(code: ErrorCode) -> &'static str {
    use ErrorCode::*;
    match code {
        InvalidPayload => "Correct what `field` and `message` name, and call again; the tool's schema says what each argument may be.",
        InvalidQuery => "Correct the query as `message` says; `schema` with `read` lists the fields of a collection and their types.",
        InvalidId => "Use a key as the collection has it: read items to see theirs.",
        InvalidPath | UriTooLong => "Correct the URL that was asked for.",
        FailedValidation => "Give `field` a value that its rules allow; `schema` with `read` shows them.",
        QueryTooLarge => {
            "Ask for less: a smaller `limit` with `page`, fewer `fields`, a narrower `filter`, or `aggregate` for numbers alone."
        }
        ExtensionError => "An extension refused this, and `message` is its reason: change what you send, or read the extension's code.",
        InvalidCode => "Correct the code where `line`, `column` and `frame` point, and call again; nothing was stored.",
        RequestBodyTimeout => "Send the request again.",
        RegistrationClosed => "Register hooks and routes inside `register` alone.",
        TransactionOpen => "In the code, do what waits for the outside world before the first write.",
        FetchRecorded => "Add an entry to `mocks` that answers the request, or test with `allowFetch`.",
        DdlInFilter => "Change the schema outside filters: in a route, an action, or with the tools `collections` and `fields`.",
        Unauthorized | InvalidCredentials | TokenExpired => "Have the person give this connection a token that is valid.",
        Forbidden => {
            "The right that `message` names is missing. Do without, or ask the person: an admin can grant it with a policy, or by the setting \
             that `message` names."
        }
        FetchRefused => "Ask the person to add the host to `EXTENSION_ALLOWED_DOMAINS`, or use one that is there.",
        CapabilityDenied => "Add the entry that `message` names to the extension's `capabilities`.",
        NotFound => "List what there is, and use a key or name from there.",
        CollectionNotFound => {
            "Use one of the names that `message` suggests; `schema` with `list` shows every collection that you may read."
        }
        JobNotFound => "Enqueue a job that an active extension hears.",
        RouteNotFound | MethodNotAllowed => "Use a route and a method that exist.",
        Conflict => "Read what is there now, as `message` says what stands against this, and decide anew.",
        RecordNotUnique => "Another row has this value: read it, and update that one or choose another value for `field`.",
        InvalidForeignKey => "Create the row that this one points to first, or point to one that exists.",
        TransactionConflict => "Call again: others wrote the same rows at the same time.",
        PreconditionFailed => "Somebody changed it since you read it: read it again, and build your change on what it is now.",
        PayloadTooLarge => "Send less at once: split the rows over several calls.",
        ExtensionPayloadTooLarge => "Send less at once: an extension hears each of these, and takes so much and no more.",
        FetchTooLarge => "Have the code fetch less, or ask the person to raise `EXTENSION_FETCH_MAX_BODY`.",
        UnsupportedMediaType => "Send JSON.",
        RequestsExceeded => "Wait for as long as `message` says, then call again.",
        Internal => "Don't repeat it. Tell the person the `request_id`: the server's log has more under it.",
        ExtensionFailed => "An extension has a bug: `extensions` with `read` shows its last failed runs, and `logs` its lines.",
        ExtensionOutOfMemory => "Have the code use less memory, or give the extension a higher `memory_limit_mb`.",
        FetchFailed | FetchTimeout => "Check the address and whether its server answers, then call again.",
        ServiceUnavailable | ExtensionBusy => "Wait a few seconds, then call again.",
        ExtensionUnavailable => {
            "An extension that guards this can't run: `extensions` with `read` says why, and mending it lets this through."
        }
        TransactionTimeout => "Have the filter do its slow work before its first write, or write less at once.",
        ExtensionTimeout => "Have the code do less in one call, or give the extension a higher `timeout_ms`.",
        RequestTimeout => "Ask for less at once.",
        ExtensionRecursion => "Break the chain of hooks that `message` names: one of them triggers the other.",
    }
}
