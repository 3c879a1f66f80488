//! The list of all routes, kept while they are registered, so that a test can knock at every one of them.

use axum::Router;
use axum::http::Method;
use axum::routing::MethodRouter;

use crate::app::App;

/// One route: method and path, as `{placeholders}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path: `/builds/{number}`.
    pub path: String,
}

/// A router that remembers what was put into it.
pub(crate) struct Routes {
    router: Router<App>,
    list: Vec<Route>,
}

impl Routes {
    /// Without routes.
    pub fn new() -> Routes {
        Routes {
            router: Router::new(),
            list: Vec::new(),
        }
    }

    /// With one more path; `methods` are those that `handlers` answers.
    pub fn route<const N: usize>(mut self, path: &str, methods: [Method; N], handlers: MethodRouter<App>) -> Routes {
        self.router = self.router.route(path, handlers);
        self.list.extend(methods.map(|method| Route {
            method,
            path: path.to_owned(),
        }));
        self
    }

    /// The router alone.
    pub fn finish(self) -> Router<App> {
        self.router
    }
}

/// Every route of the coordinator.
pub fn routes() -> Vec<Route> {
    let (_, openapi) = super::api::router();
    let mut all = super::api::list(&openapi);
    let others = [
        super::protocol::router(),
        super::pages::router(),
        super::hooks::router(),
        super::events::router(),
        super::shell::router(),
        super::well_known::router(),
        super::probes::router(super::Metrics::install()),
    ];
    all.extend(others.into_iter().flat_map(|routes| routes.list));
    all
}
