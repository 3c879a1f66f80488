//! `/repositories/{name}/deliveries/{id}`: one webhook, what it means, what came of it, and what was received.

use axum::extract::State;
use axum::response::Response;
use protocol::ids::DeliveryId;
use serde_json::Value;
use web::views::DeliveryPage;

use super::frame::Framed;
use super::{PageError, rows};
use crate::app::App;
use crate::http::access::User;
use crate::http::extract::Path;
use crate::store::{StoreError, deliveries};

/// Bytes of a body that are shown.
const SHOWN: usize = 64 << 10;

/// One delivery of the repository of that name.
pub(super) async fn page(
    State(app): State<App>,
    _: User,
    framed: Framed,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let full = deliveries::get(&app.store, &DeliveryId(id)).await?;
    if full.delivery.repository_name != name {
        return Err(StoreError::NotFound("delivery").into());
    }
    let text = readable(&full.body);
    let end = text.floor_char_boundary(SHOWN);
    let view = DeliveryPage {
        repository: name,
        delivery: rows::delivery(full.delivery),
        meaning: full.meaning.map(|meaning| meaning.said()).unwrap_or_default(),
        headers: full.headers.into_iter().collect(),
        body: text[..end].to_owned(),
        more: (text.len() - end) as u64,
    };
    Ok(framed.render(&view, web::pages::delivery))
}

/// JSON with indentation; anything else as it is.
fn readable(body: &[u8]) -> String {
    let json = serde_json::from_slice::<Value>(body).ok();
    let indented = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    indented.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}
