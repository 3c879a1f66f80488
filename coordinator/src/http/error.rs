//! What a refused request is told: one word for programs, one sentence for people, the right status, and nothing of
//! our insides.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::lease::ErrorBody;

use crate::blobs::BlobError;
use crate::builds::NoBuild;
use crate::disk;
use crate::git::GitError;
use crate::logs::LogError;
use crate::public::PublicError;
use crate::store::StoreError;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The request makes no sense; the sentence says what is wrong with it.
    #[error("{0}")]
    BadRequest(String),
    /// No credentials, or wrong ones.
    #[error("log in, or send a valid token as `Authorization: Bearer …`")]
    Unauthorized,
    /// An API token that was right, and is too old.
    #[error(
        "this API token has expired: make another in the browser (Tokens and sessions), or with `drover token add` on the \
         coordinator's machine"
    )]
    Expired,
    /// A webhook whose signature is wrong or missing, or whose repository does not exist: the answer is the same.
    #[error("wrong or missing signature")]
    Unsigned,
    /// Right credentials, wrong kind of request.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing, or the caller may not know of it.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// It was there.
    #[error("{0}")]
    Gone(String),
    /// It does not fit how things stand; the word tells programs in which way.
    #[error("{1}")]
    Conflict(&'static str, String),
    /// The body is larger than this many bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// There is no room for it; the word tells programs of which kind.
    #[error("{1}")]
    OverQuota(&'static str, String),
    /// The caller asks too often.
    #[error("too many requests from your address; try again in a few seconds")]
    TooMany,
    /// It cannot be done right now.
    #[error("{0}")]
    Busy(String),
    /// Understood, and it cannot be done; the word tells programs why.
    #[error("{1}")]
    Unprocessable(&'static str, String),
    /// The caller speaks a protocol that we do not.
    #[error("{0}")]
    Outdated(String),
    /// Somebody that we need does not answer.
    #[error("{1}")]
    BadGateway(&'static str, String),
    /// There is no room on our disk, for anybody.
    #[error("the disk of the coordinator is full; nothing is lost, and it goes on once there is room")]
    DiskFull(#[source] anyhow::Error),
    /// We broke. It is logged, never shown.
    #[error("something went wrong on our side; the coordinator's log says what")]
    Internal(#[source] anyhow::Error),
}

impl ApiError {
    /// The HTTP status and the word for programs.
    pub fn status(&self) -> (StatusCode, &'static str) {
        match self {
            ApiError::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            ApiError::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            ApiError::Expired => (StatusCode::UNAUTHORIZED, "token_expired"),
            ApiError::Unsigned => (StatusCode::UNAUTHORIZED, "unsigned"),
            ApiError::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            ApiError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            ApiError::Gone(_) => (StatusCode::GONE, "gone"),
            ApiError::Conflict(code, _) => (StatusCode::CONFLICT, code),
            ApiError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            ApiError::OverQuota(code, _) => (StatusCode::PAYLOAD_TOO_LARGE, code),
            ApiError::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            ApiError::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            ApiError::Unprocessable(code, _) => (StatusCode::UNPROCESSABLE_ENTITY, code),
            ApiError::Outdated(_) => (StatusCode::UPGRADE_REQUIRED, "protocol_version"),
            ApiError::BadGateway(code, _) => (StatusCode::BAD_GATEWAY, code),
            ApiError::DiskFull(_) => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
            ApiError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// Logs what is ours to mend; everything else is the caller's business.
    pub fn log(&self) {
        match self {
            ApiError::Internal(error) => tracing::error!(error = format!("{error:#}"), "a request failed"),
            ApiError::DiskFull(error) => tracing::error!(error = format!("{error:#}"), "the disk is full"),
            _ => {}
        }
    }

    /// We broke; a full disk is called so.
    pub fn broke(error: impl Into<anyhow::Error>) -> ApiError {
        let error = error.into();
        if disk::is_full(error.as_ref()) {
            ApiError::DiskFull(error)
        } else {
            ApiError::Internal(error)
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let (status, code) = self.status();
        let body = ErrorBody {
            code: code.to_owned(),
            message: self.to_string(),
        };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let seconds = header::HeaderValue::from_static("2");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<PublicError> for ApiError {
    fn from(error: PublicError) -> ApiError {
        match error {
            PublicError::TooMany => ApiError::TooMany,
            PublicError::TooLarge(limit) => ApiError::TooLarge(limit),
            PublicError::Busy => ApiError::Busy("too much is being sent at once; try again".into()),
            PublicError::BrokeOff => ApiError::BadRequest("the body broke off".into()),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => ApiError::NotFound(what),
            StoreError::StaleLease => ApiError::Conflict("stale_epoch", error.to_string()),
            StoreError::Expired => ApiError::Expired,
            StoreError::BadCode => ApiError::Forbidden(error.to_string()),
            StoreError::Refused(sentence) => ApiError::Unprocessable("refused", sentence),
            StoreError::Illegal(_) => ApiError::Conflict("illegal_transition", error.to_string()),
            StoreError::Key(_) | StoreError::Database(_) => ApiError::broke(error),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound => ApiError::NotFound("file or archive"),
            BlobError::TooLarge(_) => ApiError::OverQuota("over_quota", error.to_string()),
            BlobError::BrokenOff(_) => ApiError::BadRequest(error.to_string()),
            BlobError::Busy | BlobError::Crowded => ApiError::Busy(error.to_string()),
            BlobError::BadArchive(sentence) => ApiError::Unprocessable("bad_archive", sentence),
            BlobError::Store(error) => error.into(),
            BlobError::Storage(_) | BlobError::Broken(_) => ApiError::broke(error),
        }
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::NotFound => ApiError::NotFound("log"),
            LogError::Removed => ApiError::Gone(error.to_string()),
            LogError::BadQuery(_) | LogError::BadAttempt | LogError::BadRecord(_) => {
                ApiError::BadRequest(error.to_string())
            }
            LogError::Sealed => ApiError::Conflict("sealed", error.to_string()),
            LogError::WrongOffset { .. } => ApiError::Conflict("wrong_offset", error.to_string()),
            LogError::Damaged(_) | LogError::Io { .. } => ApiError::broke(error),
        }
    }
}

impl From<GitError> for ApiError {
    fn from(error: GitError) -> Self {
        let sentence = error.to_string();
        match error {
            GitError::NoSuchReference(_) => ApiError::Unprocessable("no_such_reference", sentence),
            GitError::NoSuchCommit(_) => ApiError::Unprocessable("no_such_commit", sentence),
            GitError::BadFile(_) => ApiError::Unprocessable("bad_job_file", sentence),
            GitError::TooManyReferences => ApiError::Unprocessable("too_many_references", sentence),
            GitError::Unreachable(_) | GitError::TimedOut(_) => {
                ApiError::BadGateway("repository_unreachable", sentence)
            }
            GitError::Mirror(_) => ApiError::Internal(error.into()),
        }
    }
}

impl From<NoBuild> for ApiError {
    fn from(error: NoBuild) -> Self {
        let sentence = error.to_string();
        match error {
            NoBuild::Git(error) => error.into(),
            NoBuild::Store(error) => error.into(),
            NoBuild::Name(_) => ApiError::Unprocessable("bad_reference", sentence),
            NoBuild::Address(_) => ApiError::Unprocessable("bad_address", sentence),
            NoBuild::NoJobFile(_) => ApiError::Unprocessable("no_job_file", sentence),
            NoBuild::NotWanted { .. } => ApiError::Unprocessable("not_wanted", sentence),
            NoBuild::Inputs(_) => ApiError::Unprocessable("bad_inputs", sentence),
            NoBuild::SamePush(_) => ApiError::Conflict("same_push", sentence),
            NoBuild::Moving => ApiError::Busy(sentence),
        }
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        ApiError::Internal(error)
    }
}
