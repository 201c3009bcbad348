//! Many tenants in one application, each with its own keys, which change without a restart.
//!
//! ```sh
//! echo '{"acme":{"zegocloud":["newest","older"],"kyc":["its token"]}}' > tenants.json
//! TENANTS_FILE=tenants.json cargo run --example tenants
//! cargo run --example send -- zegocloud --url http://127.0.0.1:3000/hooks/acme/zegocloud --secret older
//! ```
//!
//! Each event that reaches the handler is one line of JSON on stdout; everything else goes to
//! stderr.

#[path = "common/mod.rs"]
mod common;

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{Response, StatusCode},
    middleware::{Next, from_fn_with_state},
    routing::{MethodRouter, post},
};
use common::run::run;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    env,
    error::Error,
    io::Write,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, task::spawn_blocking};
use tower::util::MapResponseLayer;
use tower_webhooks::{
    ConfigError, PerRequest, Provider, ReadBudget, Rejection, Verified, WebhookLayer,
    replay::MemoryStore,
    vobiz::kyc::{self, Kyc},
    zegocloud::{self, Zegocloud},
};

type Problem = Box<dyn Error + Send + Sync>;

/// One layer per provider serves all tenants. They share the store and the budget; their keys keep
/// their claims apart.
fn app(tenants: Arc<Tenants>) -> Router {
    let (store, budget) = (MemoryStore::new(), ReadBudget::new(64 << 20));
    let zegocloud = WebhookLayer::new(PerRequest::<Zegocloud>::new());
    let kyc = WebhookLayer::new(PerRequest::<Kyc>::new());
    let zegocloud = zegocloud.local_store(store.clone()).read_budget(budget.clone());
    let kyc = kyc.local_store(store).read_budget(budget);
    Router::new()
        .route(
            "/hooks/{tenant}/zegocloud",
            route(on_event::<zegocloud::Event>, zegocloud, &tenants),
        )
        .route("/hooks/{tenant}/kyc", route(on_event::<kyc::Event>, kyc, &tenants))
        .layer(MapResponseLayer::new(report))
}

/// From the outside in: finds the tenant's rules, verifies with them, calls the handler.
fn route<H, T, P>(
    handler: H,
    layer: WebhookLayer<PerRequest<P>>,
    tenants: &Arc<Tenants>,
) -> MethodRouter
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
    P: Provider,
    Tenant: Rules<P>,
{
    let find = from_fn_with_state(Arc::clone(tenants), find_rules::<P>);
    post(handler).route_layer(layer).route_layer(find)
}

/// If there are no rules, the layer answers 404.
async fn find_rules<P: Provider>(
    State(tenants): State<Arc<Tenants>>,
    name: Result<Path<String>, PathRejection>,
    mut request: Request,
    next: Next,
) -> Response<Body>
where
    Tenant: Rules<P>,
{
    // No tenant has a name that is not UTF-8.
    let Ok(Path(name)) = name else { return next.run(request).await };
    if let Some(rules) = tenants.find(&name).await.and_then(|tenant| tenant.rules()) {
        request.extensions_mut().insert(rules);
        request.extensions_mut().insert(TenantName(name));
    }
    next.run(request).await
}

#[derive(Clone)]
struct TenantName(String);

#[derive(Serialize)]
struct Line<'a, E> {
    tenant: &'a str,
    provider: &'a str,
    kind: &'a str,
    key_index: usize,
    event: &'a E,
}

async fn on_event<E: Serialize>(
    Extension(TenantName(tenant)): Extension<TenantName>,
    event: Verified<E>,
) -> StatusCode {
    let metadata = event.metadata();
    let line = Line {
        tenant: &tenant,
        provider: metadata.provider,
        kind: &metadata.kind,
        key_index: metadata.key_index,
        event: &*event,
    };
    match print(&line) {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            eprintln!("an event could not be printed: {error}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn print(line: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(line)?;
    // JSON that is kept as it came may span lines. Inside a JSON string a line break is always
    // escaped.
    line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}

fn report(response: Response<Body>) -> Response<Body> {
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        eprintln!("refused with {}: {rejection}", rejection.status().as_u16());
    }
    response
}

/// A tenant's rules, one for each provider that it uses.
#[derive(Default)]
struct Tenant {
    zegocloud: Option<Arc<Zegocloud>>,
    kyc: Option<Arc<Kyc>>,
}

trait Rules<P> {
    fn rules(&self) -> Option<Arc<P>>;
}

impl Rules<Zegocloud> for Tenant {
    fn rules(&self) -> Option<Arc<Zegocloud>> {
        self.zegocloud.clone()
    }
}

impl Rules<Kyc> for Tenant {
    fn rules(&self) -> Option<Arc<Kyc>> {
        self.kyc.clone()
    }
}

/// A tenant's keys in the file, the newest first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    zegocloud: Vec<String>,
    #[serde(default)]
    kyc: Vec<String>,
}

impl TryFrom<Keys> for Tenant {
    type Error = ConfigError;

    fn try_from(keys: Keys) -> Result<Self, ConfigError> {
        let mut tenant = Self::default();
        if let [newest, older @ ..] = &keys.zegocloud[..] {
            let rules = older
                .iter()
                .try_fold(Zegocloud::new(newest)?, |rules, key| rules.also_accept(key))?;
            tenant.zegocloud = Some(Arc::new(rules));
        }
        if let [newest, older @ ..] = &keys.kyc[..] {
            let rules =
                older.iter().try_fold(Kyc::new(newest)?, |rules, key| rules.also_accept(key))?;
            tenant.kyc = Some(Arc::new(rules));
        }
        Ok(tenant)
    }
}

type ByName = HashMap<String, Arc<Tenant>>;

/// The tenants in a file. A request reads the file again if the last look is too long ago.
struct Tenants {
    path: PathBuf,
    known: RwLock<Known>,
    /// The file's content; locked while the file is read.
    text: Mutex<Option<Vec<u8>>>,
}

struct Known {
    tenants: ByName,
    looked: Instant,
}

impl Tenants {
    async fn read(path: PathBuf) -> Result<Self, Problem> {
        let text = tokio::fs::read(&path).await?;
        let tenants = parse(text.clone()).await?;
        let known = RwLock::new(Known { tenants, looked: Instant::now() });
        Ok(Self { path, known, text: Mutex::new(Some(text)) })
    }

    async fn find(&self, name: &str) -> Option<Arc<Tenant>> {
        if self.is_old() {
            self.look_again().await;
        }
        self.known.read().unwrap_or_else(PoisonError::into_inner).tenants.get(name).cloned()
    }

    fn is_old(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).looked.elapsed() > LOOK_AFTER
    }

    /// Requests that come while one of them reads the file wait for its result.
    async fn look_again(&self) {
        let mut text = self.text.lock().await;
        if !self.is_old() {
            return;
        }
        let looked = Instant::now();
        let found = match tokio::fs::read(&self.path).await {
            // Compares the text, not the time: a file can change twice in one tick of the clock.
            Ok(found) if text.as_ref() == Some(&found) => None,
            Ok(found) => {
                let tenants = parse(found.clone()).await;
                *text = Some(found);
                Some(tenants)
            }
            Err(error) => text.take().map(|_| Err(error.into())),
        };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.looked = looked;
        match found {
            None => {}
            Some(Ok(tenants)) => {
                eprintln!("{} tenants", tenants.len());
                known.tenants = tenants;
            }
            Some(Err(error)) => eprintln!("TENANTS_FILE: {error}; the tenants stay as they were"),
        }
    }
}

/// Takes a while for thousands of tenants, so it does not run on a thread that serves requests.
async fn parse(text: Vec<u8>) -> Result<ByName, Problem> {
    spawn_blocking(move || {
        // serde's own message may quote a key.
        let keys: HashMap<String, Keys> = serde_json::from_slice(&text).map_err(|error| {
            format!(
                "not JSON of tenants and keys from line {} column {}",
                error.line(),
                error.column()
            )
        })?;
        let tenant = |(name, keys): (String, Keys)| match Tenant::try_from(keys) {
            Ok(tenant) => Ok((name, Arc::new(tenant))),
            Err(error) => Err(format!("{name}: {error}").into()),
        };
        keys.into_iter().map(tenant).collect()
    })
    .await?
}

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let path = PathBuf::from(env::var_os("TENANTS_FILE").ok_or("TENANTS_FILE is not set")?);
    let tenants = Tenants::read(path).await.map_err(|error| format!("TENANTS_FILE: {error}"))?;
    run(app(Arc::new(tenants))).await?;
    Ok(())
}

const LOOK_AFTER: Duration = Duration::from_millis(500);
