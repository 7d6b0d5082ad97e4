//! `/openapi.json` and `/docs`. Owns what is common to the whole document, and the page that shows it;
//! each route documents itself.

use axum::{
    Router,
    http::{HeaderValue, header},
};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder,
    path::Operation,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};
use utoipa_swagger_ui::SwaggerUi;

use crate::security::Role;

/// Swagger UI styles its parts inline; scripts come from the binary alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What stands before the routes.
pub(super) fn head() -> OpenApi {
    let tag = |name: &str, what: &str| TagBuilder::new().name(name).description(Some(what)).build();
    let mut api = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Panotti")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Records meetings in a room and writes down what is said, on the box itself. \
                     Times are UTC (RFC 3339), durations milliseconds. Failures are problem documents \
                     (RFC 9457) whose `detail` says what to do; below `/api` and `/v1` they look as the \
                     clients there expect.",
                ))
                .license(Some(
                    LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
                ))
                .build(),
        )
        .tags(Some([
            tag("recordings", "Making recordings, and what became of them."),
            tag("events", "What happened, and what happens."),
            tag("openai", "OpenAI's API for transcription, for its clients."),
            tag("system", "The box."),
            tag("original", "The API of PanottiServer, for its clients."),
        ]))
        .build();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme(
        "api_key",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "X-API-Key",
            "A key made with `panotti key create`.",
        ))),
    );
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The same key.")).build(),
        ),
    );
    api
}

/// Every operation of `api`.
fn operations(api: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    api.paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
            .into_iter()
            .flatten()
    })
}

/// Says that all routes of `api` need a key.
pub(super) fn require_key(api: &mut OpenApi) {
    for operation in operations(api) {
        let schemes = ["api_key", "bearer"].map(|name| SecurityRequirement::new(name, [] as [&str; 0]));
        operation.security = Some(schemes.into());
    }
}

/// Says that all routes of `api` need a key with `role`, and what they answer to others.
pub(super) fn secure(api: &mut OpenApi, role: Role) {
    require_key(api);
    let role = format!("{role:?}").to_lowercase();
    for operation in operations(api) {
        for (status, what) in [
            ("401", "The key is missing or not valid.".to_owned()),
            ("403", format!("The key needs the role `{role}`.")),
            (
                "429",
                "Too many wrong keys came from this address; `Retry-After` says how long to wait.".into(),
            ),
        ] {
            let content = Content::new(Some(Ref::from_schema_name("ProblemDocument")));
            let response =
                ResponseBuilder::new().description(what).content("application/problem+json", content).build();
            operation.responses.responses.entry(status.into()).or_insert(response.into());
        }
    }
}

/// The document and the page that shows it.
pub(super) fn router<S: Clone + Send + Sync + 'static>(api: OpenApi) -> Router<S> {
    let policy =
        SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Router::from(SwaggerUi::new("/docs").url("/openapi.json", api)).layer(policy)
}
