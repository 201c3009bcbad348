//! A route for each provider whose variables are there.

use crate::{
    deliver::deliver,
    vars::{self, Vars},
};
use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode},
    routing::{MethodRouter, any, get},
};
use serde::Serialize;
use std::error::Error;
use tower::{ServiceBuilder, util::MapResponseLayer};
use tower_webhooks::{Provider, Rejection, WebhookLayer, Zegocloud};

pub fn router() -> Result<Router, Box<dyn Error>> {
    let mut app = Router::new().route("/healthz", get(async || StatusCode::OK));
    app = zegocloud(app)?;
    // Outside of the webhook layers: it sees their refusals.
    Ok(app.layer(ServiceBuilder::new().layer(MapResponseLayer::new(report))))
}

fn zegocloud(app: Router) -> Result<Router, Box<dyn Error>> {
    let vars = Vars::new(vars::ZEGOCLOUD);
    warn_of_demo("zegocloud", &vars);
    let Some(secret) = vars.get("ZEGOCLOUD_CALLBACK_SECRET") else {
        return Ok(unmounted(app, "/zegocloud", "ZEGOCLOUD_CALLBACK_SECRET"));
    };
    let provider = Zegocloud::new(secret).map_err(|error| format!("ZEGOCLOUD_CALLBACK_SECRET: {error}"))?;
    Ok(app.route("/zegocloud", webhook(provider)))
}

/// Any method: which ones are allowed is for the layer to say.
fn webhook<P: Provider<Event: Serialize>>(provider: P) -> MethodRouter {
    any(deliver::<P::Event>).layer(WebhookLayer::new(provider))
}

fn warn_of_demo(provider: &str, vars: &Vars) {
    if vars.demo {
        eprintln!(
            "warning: {provider}: no variable is set, so published demo values are used: anybody can forge events"
        );
    }
}

fn unmounted(app: Router, route: &str, needs: &str) -> Router {
    eprintln!("{route} is not mounted: it needs {needs}");
    app
}

/// Says on stderr why a request was refused; only the kind and the fixed detail, as the source may quote the payload.
fn report(response: Response<Body>) -> Response<Body> {
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        eprintln!("refused with {}: {rejection}", rejection.status().as_u16());
    }
    response
}
