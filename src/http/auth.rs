//! Who is asking. Owns finding the key in a request and holding it against the role a group of routes
//! needs; leaves the keys themselves to `security`.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use utoipa_axum::router::OpenApiRouter;

use super::{Access, Shared, State, connections::Peer, docs, error::Problem, live::is_websocket};
use crate::security::{Principal, Role};

/// Why a request is not let in.
#[derive(Debug)]
pub(super) enum Denied {
    /// It carries no key.
    Missing,
    /// There is no key that it could carry.
    NoKeys,
    /// Its key is not one of ours.
    Wrong,
    /// Its address has sent too many wrong keys.
    Throttled {
        /// How long its keys are not looked at.
        wait: Duration,
    },
    /// Its key may not do that.
    Role {
        /// What the key may do.
        has: Role,
        /// What is needed.
        needs: Role,
    },
    /// It comes from another site, and no key shows that its user wants it.
    Foreign,
    /// The keys cannot be read.
    Failed(Problem),
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let unauthorized = |detail: &str| Self::new(StatusCode::UNAUTHORIZED, detail);
        match denied {
            Denied::Missing => {
                unauthorized("a key is needed: send it as `X-API-Key` or `Authorization: Bearer`")
            }
            Denied::NoKeys => {
                unauthorized("there is no key yet: make one on the box with `panotti key create`")
            }
            Denied::Wrong => unauthorized("the key is not valid"),
            Denied::Throttled { wait } => {
                let detail = "too many wrong keys came from this address: wait a little";
                let seconds = u16::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u16::MAX);
                Self::new(StatusCode::TOO_MANY_REQUESTS, detail).try_again(seconds)
            }
            Denied::Role { has, needs } => Self::new(
                StatusCode::FORBIDDEN,
                format!("the role {needs:?} is needed and this key has the role {has:?}").to_lowercase(),
            ),
            Denied::Foreign => Self::new(
                StatusCode::FORBIDDEN,
                "requests of other sites are refused: open the page by its loopback address",
            ),
            Denied::Failed(problem) => problem,
        }
    }
}

/// How a key begins that is offered as a protocol of a WebSocket: browsers can set no other header there.
const KEY_PROTOCOL: &str = "panotti.key.";

/// The key a request carries. An empty one counts as none.
fn key(headers: &HeaderMap) -> Option<&str> {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok()).map(str::trim);
    let offered = || {
        let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
        let mut offers = offers.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(','));
        offers.find_map(|it| it.trim().strip_prefix(KEY_PROTOCOL)).filter(|_| is_websocket(headers))
    };
    let bearer = || {
        let (scheme, key) = text("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    };
    text("x-api-key").filter(|it| !it.is_empty()).or_else(bearer).or_else(offered).filter(|it| !it.is_empty())
}

/// Whoever asks, when `role` is theirs. Wrong keys are counted by address, and after too many none from
/// there is looked at for a while.
pub(super) fn authorize(shared: &Shared, request: &Request, role: Role) -> Result<Principal, Denied> {
    let app = &shared.app;
    let headers = request.headers();
    if app.access == Access::OpenOnLoopback {
        return if is_own(headers) {
            Ok(Principal { key_id: "open".into(), name: "anyone here".into(), role: Role::Admin })
        } else {
            Err(Denied::Foreign)
        };
    }
    let Some(key) = key(headers) else {
        return Err(match app.keys.any() {
            Ok(true) => Denied::Missing,
            Ok(false) => Denied::NoKeys,
            Err(error) => Denied::Failed(error.into()),
        });
    };
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let now = Instant::now();
    if let Some(wait) = peer.and_then(|peer| shared.throttle.check(peer, now).err()) {
        return Err(Denied::Throttled { wait });
    }
    match app.keys.verify(key) {
        Ok(Some(principal)) if principal.role >= role => Ok(principal),
        Ok(Some(principal)) => Err(Denied::Role { has: principal.role, needs: role }),
        Ok(None) => {
            if let Some(peer) = peer {
                shared.throttle.wrong(peer, now);
            }
            Err(Denied::Wrong)
        }
        Err(error) => Err(Denied::Failed(error.into())),
    }
}

/// Whether a request names a loopback host, and its page, if any, is ours. Without keys this is what
/// keeps other web sites out (rebound names, cross-site requests). With keys any `Host` is served: the box
/// has as many names as its network gives it, and a site that rebinds its own name has no key.
fn is_own(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|it| it.to_str().unwrap_or("?"));
    let Some(host) = text(header::HOST) else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    let loopback = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let same_origin = text(header::ORIGIN).is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    });
    loopback && same_origin
}

/// Lets only keys with at least `role` use `routes`, and says so in their documentation. Handlers find the
/// [`Principal`] among the request's extensions.
pub(super) fn allow(
    mut routes: OpenApiRouter<Arc<Shared>>,
    shared: &Arc<Shared>,
    role: Role,
) -> OpenApiRouter<Arc<Shared>> {
    docs::secure(routes.get_openapi_mut(), role);
    let check = move |axum::extract::State(shared): State, mut request: Request, next: Next| async move {
        match authorize(&shared, &request, role) {
            Ok(principal) => {
                request.extensions_mut().insert(principal);
                Ok(next.run(request).await)
            }
            Err(denied) => Err::<Response, _>(Problem::from(denied)),
        }
    };
    routes.route_layer(middleware::from_fn_with_state(shared.clone(), check))
}
