//! Whose request it is, as far as its address says that: of the peer, or of whom a trusted proxy names.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::connections::{self, Connection};
use super::error::ApiError;
use crate::app::App;
use crate::config::Config;
use crate::public::Client;

impl FromRequestParts<App> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Client, ApiError> {
        Ok(of(parts, &app.config))
    }
}

/// Of a request that came through the listener.
pub fn of(parts: &Parts, config: &Config) -> Client {
    let connection = parts.extensions.get::<Arc<Connection>>();
    let peer = connection.map_or(IpAddr::from([0, 0, 0, 0]), |connection| connection.peer());
    Client(connections::client(&config.connections, peer, &parts.headers))
}
