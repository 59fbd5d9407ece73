//! Passwords: argon2id with the crate's defaults (19 MiB, two passes), two at a time, never on the async threads.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, ErrorCode, Result};

/// Longest password in bytes: hashing a longer one would be a way to keep the machine busy.
const MAX_PASSWORD: usize = 1024;

/// Threads that hash: each takes 19 MiB and some tens of milliseconds of one core. They are kept, so that this memory is used again and
/// isn't left in the arenas of many.
const THREADS: usize = 2;
/// Hashes that may wait: past this, callers are told to come back.
const MAX_WAITING: usize = 256;

type Work = Box<dyn FnOnce() + Send>;

/// Hashes and verifies.
#[derive(Clone)]
pub struct Passwords {
    work: mpsc::Sender<Work>,
    /// A hash of nothing, verified when there is no such account, so that both cases take equally long.
    decoy: Arc<str>,
}

impl Passwords {
    /// Starts the threads and makes the decoy; takes as long as one hash.
    pub fn new() -> Result<Self> {
        let (work, queue) = mpsc::channel::<Work>(MAX_WAITING);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..THREADS {
            let queue = Arc::clone(&queue);
            let next = move || queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let run = move || {
                while let Some(work) = next() {
                    work()
                }
            };
            std::thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(run)
                .map_err(|e| Error::internal(format!("password thread: {e}")))?;
        }
        Ok(Self { work, decoy: hash(&super::token::random(32)?)?.into() })
    }

    /// The PHC string to store.
    pub async fn hash(&self, password: &str) -> Result<String> {
        if password.is_empty() || password.len() > MAX_PASSWORD {
            return Err(
                Error::new(ErrorCode::FailedValidation, format!("a password must have 1 to {MAX_PASSWORD} bytes")).with_field("password")
            );
        }
        let password = password.to_owned();
        self.run(move || hash(&password)).await
    }

    /// Whether `password` is the one behind `stored`. `None` (no such account) takes as long and is never right.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool> {
        if password.len() > MAX_PASSWORD {
            return Ok(false);
        }
        let exists = stored.is_some();
        let stored = stored.map_or_else(|| Arc::clone(&self.decoy), Arc::from);
        let password = password.to_owned();
        let right = self
            .run(move || {
                let parsed = PasswordHash::new(&stored).map_err(|e| Error::internal(format!("stored password hash: {e}")))?;
                Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await?;
        Ok(right && exists)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Work = Box::new(move || {
            // Whoever asked may be gone, and then nobody needs the work.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        let full = |_| Error::new(ErrorCode::ServiceUnavailable, "Too many sign-ins at once: try again").with_retry_after(1);
        self.work.try_send(job).map_err(full)?;
        answered.await.map_err(|_| Error::internal("a password thread ended"))?
    }
}

fn hash(password: &str) -> Result<String> {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|e| Error::internal(format!("random: {e}")))?;
    let salt = SaltString::encode_b64(&salt).map_err(|e| Error::internal(format!("salt: {e}")))?;
    let hashed = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|e| Error::internal(format!("argon2: {e}")))?;
    Ok(hashed.to_string())
}
