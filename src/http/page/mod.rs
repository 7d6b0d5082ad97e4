//! The page at `/`: three files inside the binary. Owns how they are served; what they show comes through
//! the API like everything else.

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};

/// Nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A file of the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    /// Where it is served.
    pub(super) path: &'static str,
    kind: &'static str,
    /// What is in it.
    pub(super) text: &'static str,
}

/// All files of the page.
pub(super) const ASSETS: [Asset; 4] = [
    Asset { path: "/", kind: "text/html; charset=utf-8", text: include_str!("index.html") },
    Asset { path: "/app.css", kind: "text/css; charset=utf-8", text: include_str!("app.css") },
    Asset { path: "/app.js", kind: "text/javascript; charset=utf-8", text: include_str!("app.js") },
    Asset { path: "/icon.svg", kind: "image/svg+xml", text: include_str!("icon.svg") },
];

/// Serves all files.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.into_iter().fold(Router::new(), |router, asset| {
        let digest = Sha256::digest(asset.text);
        let tag: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("\"{tag}\"");
        router.route(asset.path, get(async move |headers: HeaderMap| serve(asset, &tag, &headers)))
    })
}

/// The file, or 304 when the browser has it. An update of the box shows at the next visit: browsers keep
/// the files but ask each time.
fn serve(asset: Asset, tag: &str, headers: &HeaderMap) -> Response {
    let common = [
        (header::ETAG, tag.to_owned()),
        (header::CACHE_CONTROL, "no-cache".into()),
        (header::CONTENT_SECURITY_POLICY, POLICY.into()),
    ];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|it| it.trim() == tag)) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, asset.kind)], asset.text).into_response()
}
