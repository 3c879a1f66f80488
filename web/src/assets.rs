//! The style sheet, the ES modules and the icons, embedded. Their addresses carry a hash over all of them, so they
//! may be cached for ever and a module's relative imports stay within one version.

/// One embedded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// What it contains.
    pub bytes: &'static [u8],
    /// `text/css; charset=utf-8`, …
    pub content_type: &'static str,
    /// A strong entity tag, with its quotes.
    pub etag: &'static str,
    /// `Cache-Control` for the address it was asked by: for ever under a version that is ours, else a minute.
    pub cache_control: &'static str,
}

/// The file at `path`: what follows `/assets/`, as in `{version}/app.css`; also without a version.
pub fn get(path: &str) -> Option<Asset> {
    let _ = path;
    None
}

/// The address of a file: `/assets/{version}/{name}`.
pub fn url(name: &str) -> String {
    format!("/assets/{name}")
}
