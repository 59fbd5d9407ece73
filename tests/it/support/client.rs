//! HTTP as one caller: base address, credentials, and answers that explain themselves when they are not what was expected.

use std::time::{Duration, Instant};

use serde_json::Value;

/// One caller. Cheap to clone, so that many tasks can speak at once.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// A caller of the program at `base`, with a bearer token or anonymous.
    pub fn new(base: &str, token: Option<String>) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(90)).build().unwrap();
        Self { http, base: base.to_owned(), token }
    }

    /// The same connections with other credentials.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The same connections without credentials.
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The bearer token, empty for nobody.
    pub fn token(&self) -> String {
        self.token.clone().unwrap_or_default()
    }

    /// Where the program listens, without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to `path` that the test completes by itself.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path)).await
    }

    /// GET with parameters that are encoded here.
    pub async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        Answer::of(self.request("GET", path).query(parameters)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request("POST", path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request("PATCH", path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request("PUT", path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request("DELETE", path)).await
    }

    pub async fn delete_with(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request("DELETE", path).json(&body)).await
    }

    /// A body byte for byte, under `application/json`.
    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer::of(self.request(method, path).header("content-type", "application/json").body(body.into())).await
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub asked: String,
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
    /// From sending to the last byte.
    pub took: Duration,
}

impl Answer {
    /// Sends; panics where there is no answer at all.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        match Self::try_of(request).await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error:?}"),
        }
    }

    /// Sends; for tests in which the other side dies.
    pub async fn try_of(request: reqwest::RequestBuilder) -> Result<Self, reqwest::Error> {
        let (client, request) = request.build_split();
        let request = request?;
        let asked = format!("{} {}", request.method(), request.url());
        let begun = Instant::now();
        let response = client.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await?;
        Ok(Self { asked, status, headers, body, took: begun.elapsed() })
    }

    /// Panics with the whole answer unless the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {} in {:?}: {}", self.asked, self.status, self.took, self.body);
        self
    }

    /// Panics unless the answer is an error in the agreed form with this status and code.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.code(), code, "{}: {}", answer.asked, answer.body);
        answer
    }

    /// Panics unless it came within `limit` and the agreed slack.
    #[track_caller]
    pub fn expect_within(self, limit: Duration) -> Self {
        assert!(
            self.took <= limit + super::SLACK,
            "{} took {:?}, promised was {limit:?}; it answered {}: {}",
            self.asked,
            self.took,
            self.status,
            self.body
        );
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{}: not JSON ({e}): {}", self.asked, self.body))
    }

    /// `data` of the body.
    #[track_caller]
    pub fn data(&self) -> Value {
        let mut body = self.json();
        assert!(body.get("data").is_some(), "{}: no `data`: {}", self.asked, self.body);
        body["data"].take()
    }

    /// `errors[0].extensions.code`.
    #[track_caller]
    pub fn code(&self) -> String {
        self.error()["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{}: no code: {}", self.asked, self.body)).to_owned()
    }

    /// `errors[0].message`.
    #[track_caller]
    pub fn message(&self) -> String {
        self.error()["message"].as_str().unwrap_or_else(|| panic!("{}: no message: {}", self.asked, self.body)).to_owned()
    }

    /// `errors[0].extensions.field`, empty where there is none.
    #[track_caller]
    pub fn field(&self) -> String {
        self.error()["extensions"]["field"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn error(&self) -> Value {
        let mut body = self.json();
        assert!(body["errors"].get(0).is_some(), "{}: no `errors`: {}", self.asked, self.body);
        body["errors"][0].take()
    }

    /// A header as text, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}
