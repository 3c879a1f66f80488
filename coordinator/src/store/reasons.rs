//! Reasons as columns: `reason_code` and `reason`, by which rows are found and read, and `reason_details` with the rest.

use protocol::attempt::Reason;
use serde::{Deserialize, Serialize};

use super::{from_word, to_json, to_word};
use crate::db::{DbError, Row};

/// The JSON of `reason_details`.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    during: Option<String>,
}

/// The values of `reason_code`, `reason` and `reason_details`.
pub(super) fn columns(reason: Option<Reason>) -> [Option<String>; 3] {
    let Some(reason) = reason else {
        return [None, None, None];
    };
    let details = Details {
        exit_code: reason.exit_code,
        service: reason.service,
        step: reason.step,
        during: reason.during,
    };
    let has_details = details != Details::default();
    [
        Some(to_word(&reason.code)),
        Some(reason.sentence),
        has_details.then(|| to_json(&details)),
    ]
}

/// The reason in a row that has the three columns.
pub(super) fn from_row(row: &Row) -> Result<Option<Reason>, DbError> {
    let (code, sentence): (Option<String>, Option<String>) = (row.get("reason_code")?, row.get("reason")?);
    let (Some(code), Some(sentence)) = (code, sentence) else {
        return Ok(None);
    };
    let details = match row.get::<Option<String>>("reason_details")? {
        Some(_) => row.json("reason_details")?,
        None => Details::default(),
    };
    Ok(Some(Reason {
        code: from_word("reason_code", &code)?,
        sentence,
        exit_code: details.exit_code,
        service: details.service,
        step: details.step,
        during: details.during,
    }))
}
