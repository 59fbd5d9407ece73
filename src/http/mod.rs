//! The REST door: routes, bodies, answers. The only place, with `mcp`, that knows HTTP.
//!
//! A handler reads the request into a `request::Call`, asks a service, and shapes the answer. Rules live in the services. Other doors, which
//! `app` hands in, stand behind the same middleware and read requests the same way.

mod access;
pub(crate) mod auth;
mod collections;
mod cookies;
mod cron;
mod deliveries;
pub(crate) mod error;
mod etag;
mod ext;
mod ext_headers;
mod extension_logs;
mod extensions;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod items;
mod late;
mod metrics;
mod page;
mod relations;
pub(crate) mod request;
mod schema;
mod server;
mod services;
mod settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Extension, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::cron::Cron;
use crate::error::{Error, ErrorCode};
use crate::extensions::Extensions;
use crate::extensions::rate_limit::RateLimiter;
use crate::services::Core;
use crate::services::accounts::Accounts;
use crate::services::changes::Lagging;
use crate::services::sessions::Sessions;
use error::ApiError;
use request::RequestId;

/// What the handlers share.
pub struct Api {
    /// The services.
    pub core: Arc<Core>,
    /// Sign-in.
    pub sessions: Sessions,
    /// What is done by mail about passwords and invitations.
    pub accounts: Accounts,
    /// The extensions.
    pub extensions: Arc<Extensions>,
    /// The jobs that run by the clock.
    pub cron: Arc<Cron>,
    /// How often callers ask the extensions' routes.
    pub limiter: RateLimiter,
}

/// Where the server listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listening(pub(crate) SocketAddr);

type App = State<Arc<Api>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Every route of the host, which listens at `address`, and those of the other doors.
pub fn router(api: Arc<Api>, address: SocketAddr, doors: Router<Arc<Api>>) -> Router {
    let system = |name: &'static str| items::system(name);
    Router::new()
        .route("/", get(page::home))
        .merge(server::routes())
        .route("/api/auth/login", post(auth::login))
        .route("/api/auth/refresh", post(auth::refresh))
        .route("/api/auth/logout", post(auth::logout))
        .route("/api/auth/password/request", post(auth::request_password))
        .route("/api/auth/password/reset", post(auth::reset_password))
        .route("/api/users/invite", post(auth::invite))
        .route("/api/users/invite/accept", post(auth::accept_invite))
        .route("/api/users/me", get(auth::read_me).patch(auth::update_me))
        .merge(access::routes())
        .merge(system("users"))
        .merge(system("roles"))
        .merge(system("policies"))
        .merge(system("permissions"))
        .merge(system("access"))
        .merge(items::user_roles())
        .merge(items::routes())
        .merge(collections::routes())
        .merge(relations::routes())
        .merge(schema::routes())
        .merge(extensions::routes())
        .merge(deliveries::routes())
        .merge(services::routes())
        .merge(cron::routes())
        .merge(settings::routes())
        .merge(metrics::routes())
        .merge(ext::routes())
        .merge(doors)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Extension(Listening(address)))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), around))
        .with_state(api)
}

/// Serves until `stop` resolves, then finishes what runs.
pub async fn serve(
    listener: TcpListener,
    api: Arc<Api>,
    doors: Router<Arc<Api>>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    axum::serve(listener, router(api, address, doors).into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stop)
        .await
}

/// Around every request: its id, and one log line when it has been answered.
async fn around(State(api): App, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let given = request.headers().get(REQUEST_ID).and_then(|v| v.to_str().ok()).filter(|id| (1..=128).contains(&id.len()));
    let id: Arc<str> = given.map_or_else(|| uuid::Uuid::now_v7().to_string().into(), Arc::from);
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let under_way = api.core.metrics.begun();
    let lagging = Lagging::default();
    request.extensions_mut().insert(lagging.clone());
    let mut response = match up_to_date(&api, &path).await {
        Ok(()) => next.run(request).await,
        Err(error) => ApiError::from(error).into_response(),
    };
    if let Some(failed) = response.extensions_mut().remove::<ApiError>() {
        failed.log(&id);
        // Which methods there are is known where the route is, and belongs to a 405.
        let allow = response.headers_mut().remove(header::ALLOW);
        response = failed.answer(api.core.config.full_errors);
        response.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
    }
    let behind = lagging.names();
    if !behind.is_empty() {
        tracing::warn!(request = &*id, hosts = ?behind, "a change isn't known on every host yet");
        response = late::tell(response, &behind).await;
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    drop(under_way);
    let (status, took) = (response.status().as_u16(), began.elapsed());
    api.core.metrics.answered(method.as_str(), route.as_ref().map(MatchedPath::as_str), status, took);
    let ms = took.as_secs_f64() * 1000.0;
    tracing::info!(request = &*id, %method, path, status, ms, "answered");
    response
}

/// Nobody is answered by what doesn't hold any more; whether the host is there is told in any case.
async fn up_to_date(api: &Api, path: &str) -> Result<(), Error> {
    if server::is_sign_of_life(path) || path == "/metrics" { Ok(()) } else { api.core.up_to_date().await }
}

async fn not_found(request: Request) -> ApiError {
    no_route(request.uri().path()).into()
}

fn no_route(path: &str) -> Error {
    Error::new(ErrorCode::RouteNotFound, format!("There is no route `{}`", crate::services::query::clip(path)))
}

async fn method_not_allowed(request: Request) -> ApiError {
    Error::new(ErrorCode::MethodNotAllowed, format!("`{}` isn't possible here", request.method())).into()
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let what = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    ApiError::from(Error::internal(format!("panic: {what}"))).into_response()
}
