//! A route for each provider whose variables are set.

use crate::{
    deliver::{Handlers, deliver, deliver_call},
    hints::first_look,
    output::say,
    page::Page,
    settings::{Guard, Settings},
    vars::{self, Vars},
};
use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode},
    routing::{MethodRouter, any, get},
};
use serde::Serialize;
#[cfg(feature = "metrics")]
use std::time::Duration;
use std::{error::Error, pin::Pin};
use tower::{ServiceBuilder, util::MapResponseLayer};
use tower_webhooks::{
    ConfigError, Provider, Rejection,
    geelark::{GeeLark, GeeLarkToken},
    replay::ReplayedResponse,
    stardust::{Stardust, StardustKeyOnly},
    vobiz::{
        campaign::Campaign, kyc::Kyc, ndnc::Ndnc, trunk::Trunk, voice::Voice, whatsapp::Whatsapp,
    },
    zegocloud::Zegocloud,
};

/// The routes, and the futures to await after the last request.
pub async fn router(page: &mut Page) -> Result<(Router, Drains), Box<dyn Error>> {
    let settings = Settings::from_env().await?;
    let app = Router::new().route("/healthz", get(async || StatusCode::OK));
    #[cfg(feature = "metrics")]
    let app = {
        // Without buckets a series is a summary, which grows to hundreds of KiB.
        let prometheus = metrics_exporter_prometheus::PrometheusBuilder::new()
            .set_buckets(&SECONDS)?
            .install_recorder()?;
        // Samples pile up until they are summed, and perhaps nobody ever asks for `/metrics`.
        let upkeep = prometheus.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                upkeep.run_upkeep();
            }
        });
        let tasks = metrics::gauge!("receiver_tasks");
        let render = async move || {
            tasks.set(tokio::runtime::Handle::current().metrics().num_alive_tasks() as f64);
            prometheus.render()
        };
        app.route("/metrics", get(render))
    };
    let mut routes = Routes { guard: &settings.guard, page, app, drains: Vec::new() };
    routes.zegocloud()?;
    routes.geelark()?;
    routes.stardust()?;
    routes.vobiz()?;
    // Outside of the webhook layers, to see the answers that they give themselves.
    let outer = ServiceBuilder::new()
        .layer(MapResponseLayer::new(report))
        .layer(MapResponseLayer::new(ReplayedResponse::restore));
    let (app, drains) = (routes.app.layer(outer), routes.drains);
    Ok((page.mount(app.with_state(Handlers::new(settings))), drains))
}

/// Each resolves when the replay store knows every delivery of its route.
pub type Drains = Vec<Pin<Box<dyn Future<Output = ()> + Send>>>;

struct Routes<'a> {
    guard: &'a Guard,
    page: &'a mut Page,
    app: Router<Handlers>,
    drains: Drains,
}

impl Routes<'_> {
    fn zegocloud(&mut self) -> Result<(), Box<dyn Error>> {
        let vars = self.vars("zegocloud", vars::ZEGOCLOUD)?;
        self.mount("/zegocloud", &vars, ["ZEGOCLOUD_CALLBACK_SECRET"], |[secret]| {
            Zegocloud::new(secret)
        })
    }

    fn geelark(&mut self) -> Result<(), Box<dyn Error>> {
        let vars = self.vars("geelark", vars::GEELARK)?;
        self.mount("/geelark", &vars, ["GEELARK_APP_ID", "GEELARK_APP_KEY"], |[id, key]| {
            GeeLark::new(id, key)
        })?;
        self.mount("/geelark/token", &vars, ["GEELARK_TOKEN"], |[token]| GeeLarkToken::new(token))
    }

    fn stardust(&mut self) -> Result<(), Box<dyn Error>> {
        let vars = self.vars("stardust", vars::STARDUST)?;
        self.mount("/stardust", &vars, ["STARDUST_ACCESS_KEY"], |[key]| StardustKeyOnly::new(key))?;
        let needs = ["STARDUST_ACCESS_KEY", "STARDUST_SECRET_KEY"];
        self.mount("/stardust/signed", &vars, needs, |[key, secret]| Stardust::new(key, secret))
    }

    fn vobiz(&mut self) -> Result<(), Box<dyn Error>> {
        let vars = self.vars("vobiz", vars::VOBIZ)?;
        // First, so that an error in the parent's token names its variable.
        self.mount("/vobiz/kyc", &vars, ["VOBIZ_PARENT_AUTH_TOKEN"], |[token]| Kyc::new(token))?;
        let parent = vars.get("VOBIZ_PARENT_AUTH_TOKEN");
        let voice = |[token, url]: [String; 2]| {
            let voice = Voice::new(token, &url)?;
            match parent {
                Some(parent) => voice.also_accept_parent(parent),
                None => Ok(voice),
            }
        };
        let needs = ["VOBIZ_AUTH_TOKEN", "VOBIZ_PUBLIC_URL"];
        self.mount_handler("/vobiz/voice", &vars, needs, voice, any(deliver_call))?;
        self.mount("/vobiz/campaign", &vars, ["VOBIZ_AUTH_TOKEN"], |[token]| Campaign::new(token))?;
        self.mount("/vobiz/ndnc", &vars, ["VOBIZ_NDNC_SECRET"], |[secret]| Ndnc::new(secret))?;
        self.mount("/vobiz/trunk", &vars, ["VOBIZ_TRUNK_SECRET"], |[secret]| Trunk::new(secret))?;
        self.mount("/vobiz/whatsapp", &vars, ["VOBIZ_WHATSAPP_SECRET"], |[secret]| {
            Whatsapp::new(secret)
        })
    }

    fn vars(&self, provider: &str, names: vars::Names) -> Result<Vars, String> {
        let vars = Vars::new(names)?;
        if vars.demo {
            say(format_args!("warning: {provider}: {}", vars::DEMO_WARNING));
        }
        Ok(vars)
    }

    /// Mounts a provider if all the variables that it needs are set.
    fn mount<P: Provider<Event: Serialize>, const N: usize>(
        &mut self,
        route: &str,
        vars: &Vars,
        needs: [&str; N],
        provider: impl FnOnce([String; N]) -> Result<P, ConfigError>,
    ) -> Result<(), Box<dyn Error>> {
        let handler = any(deliver::<P::Event>);
        self.mount_handler(route, vars, needs, provider, handler)
    }

    fn mount_handler<P: Provider, const N: usize>(
        &mut self,
        route: &str,
        vars: &Vars,
        needs: [&str; N],
        provider: impl FnOnce([String; N]) -> Result<P, ConfigError>,
        handler: MethodRouter<Handlers>,
    ) -> Result<(), Box<dyn Error>> {
        self.page.strike_out::<P>();
        let values = needs.map(|name| vars.get(name));
        if values.iter().any(Option::is_none) {
            say(format_args!("{route} is not mounted: it needs {}", needs.join(" and ")));
            return Ok(());
        }
        let provider = provider(values.map(Option::unwrap_or_default))
            .map_err(|error| format!("{}: {error}", needs.join(" or ")))?;
        let layer = self
            .guard
            .layer(provider)
            .map_err(|error| format!("RECEIVER_LEASE_MS, RECEIVER_RETENTION_S: {error}"))?;
        self.drains.push(Box::pin(layer.drained()));
        self.page.show::<P>(route);
        let app = std::mem::take(&mut self.app);
        // Accepts any method: the layer decides which are allowed.
        self.app = app.route(route, handler.layer(layer));
        Ok(())
    }
}

/// The upper bounds of the histograms' buckets, in seconds. An age is negative if the local clock
/// is behind.
#[cfg(feature = "metrics")]
const SECONDS: [f64; 13] =
    [-60.0, -5.0, 0.0, 0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0];

/// Says on stderr why a request was refused: only the kind and the fixed detail, because the source
/// may quote the payload.
fn report(response: Response<Body>) -> Response<Body> {
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        say(format_args!(
            "refused with {}: {rejection}; first look at {}",
            rejection.status().as_u16(),
            first_look(rejection)
        ));
    }
    response
}
