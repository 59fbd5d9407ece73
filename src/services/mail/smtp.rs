//! One conversation with a mail server: connect, encrypt, sign in, and each recipient by itself.
//!
//! A refusal of the server is an answer and not an error of ours. Knows no queue and no caller.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

use crate::config::SmtpConfig;

/// One conversation at most, from the connection to the last word.
const LIMIT: Duration = Duration::from_secs(20);
/// Longest sentence of a server that is repeated, in characters.
const MAX_SAID: usize = 500;

/// What became of a message.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Whom the server took it for.
    pub accepted: Vec<String>,
    /// Whom it didn't.
    pub rejected: Vec<String>,
}

/// Why nothing was sent.
#[derive(Debug, Clone)]
pub struct NotSent {
    /// In a sentence.
    pub why: String,
    /// Whether another try may go better.
    pub is_passing: bool,
}

/// What to do about recipients whom the server may take later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Send nothing yet, to nobody.
    Wait,
    /// Send to the others.
    GoOn,
}

/// Brings a message to the server.
pub async fn send(smtp: &SmtpConfig, from: Address, to: &[Address], message: &[u8], patience: Patience) -> Result<Sent, NotSent> {
    within(async {
        let mut connection = connect(smtp).await?;
        let sent = converse(&mut connection, from, to, message, patience).await;
        if sent.is_ok() {
            // The message is the server's; whether it hears the goodbye is its own affair.
            let _ = connection.quit().await;
        } else {
            connection.abort().await;
        }
        sent
    })
    .await
}

/// Whether the server answers and takes the credentials.
pub async fn verify(smtp: &SmtpConfig) -> Result<(), NotSent> {
    within(async {
        let mut connection = connect(smtp).await?;
        let _ = connection.quit().await;
        Ok(())
    })
    .await
}

async fn within<T>(work: impl Future<Output = Result<T, NotSent>>) -> Result<T, NotSent> {
    let late = || NotSent { why: format!("The mail server took longer than {} s", LIMIT.as_secs()), is_passing: true };
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| Err(late()))
}

async fn connect(smtp: &SmtpConfig) -> Result<AsyncSmtpConnection, NotSent> {
    let hello = ClientId::default();
    let tls = match smtp.ignore_tls && !smtp.secure {
        true => None,
        // Reads the machine's certificates from disk.
        false => {
            let host = smtp.host.clone();
            let made = tokio::task::spawn_blocking(move || TlsParameters::new_rustls(host)).await;
            let made = made.map_err(|e| NotSent { why: e.to_string(), is_passing: true })?;
            Some(made.map_err(|e| failed("TLS can't be prepared", &e))?)
        }
    };
    let wrapped = tls.clone().filter(|_| smtp.secure);
    let mut connection = AsyncSmtpConnection::connect_tokio1((smtp.host.as_str(), smtp.port), Some(LIMIT), &hello, wrapped, None)
        .await
        .map_err(|e| failed(&format!("{}:{} can't be reached", smtp.host, smtp.port), &e))?;
    if let Some(tls) = tls.filter(|_| !smtp.secure) {
        if connection.can_starttls() {
            connection.starttls(tls, &hello).await.map_err(|e| failed("STARTTLS failed", &e))?;
        } else if smtp.user.is_some() && !smtp.is_loopback() {
            connection.abort().await;
            let why = "The mail server offers no STARTTLS, and the password doesn't go over the network in the clear: set `SMTP_SECURE`, or \
                       `SMTP_IGNORE_TLS` to send it anyway";
            return Err(NotSent { why: why.to_owned(), is_passing: false });
        }
    }
    if let Some(user) = &smtp.user {
        let password = smtp.password.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default();
        let credentials = Credentials::new(user.clone(), password);
        if let Err(error) = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await {
            connection.abort().await;
            return Err(failed("The mail server refused user and password", &error));
        }
    }
    Ok(connection)
}

async fn converse(
    connection: &mut AsyncSmtpConnection,
    from: Address,
    to: &[Address],
    message: &[u8],
    patience: Patience,
) -> Result<Sent, NotSent> {
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    let mut parameters = Vec::new();
    if !is_ascii(&from) || !to.iter().all(is_ascii) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let why = "An address holds characters that the mail server can't take (it offers no SMTPUTF8)".to_owned();
            return Err(NotSent { why, is_passing: false });
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    connection.command(Mail::new(Some(from), parameters)).await.map_err(|e| failed("The mail server refused the sender", &e))?;
    let (mut sent, mut last) = (Sent::default(), None);
    for address in to {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => sent.accepted.push(address.to_string()),
            Err(error) if error.is_permanent() || (error.is_transient() && patience == Patience::GoOn) => {
                sent.rejected.push(address.to_string());
                last = Some(error);
            }
            Err(error) => return Err(failed("The mail server doesn't take a recipient now", &error)),
        }
    }
    if let (true, Some(error)) = (sent.accepted.is_empty(), last) {
        return Err(failed("The mail server refused every recipient", &error));
    }
    connection.command(Data).await.map_err(|e| failed("The mail server refused the message", &e))?;
    connection.message(message).await.map_err(|e| failed("The mail server refused the message", &e))?;
    Ok(sent)
}

fn failed(what: &str, error: &lettre::transport::smtp::Error) -> NotSent {
    let mut why = format!("{what}: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !why.contains(&text) {
            why = format!("{why}: {text}");
        }
        cause = error.source();
    }
    let why = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SAID).collect();
    NotSent { why, is_passing: !error.is_permanent() }
}
