//! Signs events as the providers would and posts them to a receiver.
//!
//! ```sh
//! cargo run --example send                                   # one event to every route
//! cargo run --example send -- zegocloud stream_create        # one event
//! cargo run --example send -- zegocloud stream_create --url http://127.0.0.1:3000/zegocloud --secret …
//! ```
//!
//! Exits with 1 if any was refused or not answered, and if a value cannot be used.

#[path = "../common/vars.rs"]
mod vars;

mod families;
mod zegocloud_catalogue;

use bytes::Bytes;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use families::{FAMILIES, Family};
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    collections::BTreeSet,
    error::Error,
    process::ExitCode,
    time::{Duration, SystemTime},
};
use tokio::time::timeout;
use tower_webhooks::Signer;
use vars::{Vars, variable};

/// Signs events as the providers would and posts them to a receiver
///
/// Without arguments it sends one event to every route whose variables are set. If none of a
/// provider's is set, demo values are used. A flag overrides the variable of the same meaning.
#[derive(Parser)]
struct Args {
    /// zegocloud, geelark, geelark-token, stardust, stardust-signed, vobiz-voice, vobiz-kyc,
    /// vobiz-campaign, vobiz-ndnc, vobiz-trunk or vobiz-whatsapp
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(FAMILIES.iter().map(|family| family.name)))]
    provider: Option<String>,
    /// Which event to send; an unknown name prints the list
    event: Option<String>,
    /// Send each request a second time, as a thief could
    #[arg(long)]
    repeat: bool,
    /// How many seconds each answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Where to post it [default: the provider's route at $RECEIVER_ADDR, else at 127.0.0.1:3000]
    #[arg(long, requires = "provider")]
    url: Option<String>,
    #[command(flatten)]
    #[allow(dead_code, reason = "its flags are looked up by name")]
    keys: Keys,
}

#[derive(clap::Args)]
struct Keys {
    /// The secret of zegocloud, vobiz-ndnc, vobiz-trunk or vobiz-whatsapp
    #[arg(long, requires = "provider")]
    secret: Option<String>,
    /// GeeLark's AppId
    #[arg(long, requires = "provider")]
    app_id: Option<String>,
    /// GeeLark's AppKey
    #[arg(long, requires = "provider")]
    app_key: Option<String>,
    /// GeeLark's bearer token
    #[arg(long, requires = "provider")]
    token: Option<String>,
    /// Stardust's AccessKey ID
    #[arg(long, requires = "provider")]
    access_key: Option<String>,
    /// Stardust's SecretKey
    #[arg(long, requires = "provider")]
    secret_key: Option<String>,
    /// Vobiz's auth token
    #[arg(long, requires = "provider")]
    auth_token: Option<String>,
    /// The auth token of Vobiz's main account
    #[arg(long, requires = "provider")]
    parent_auth_token: Option<String>,
    /// The origin that Vobiz signs
    #[arg(long, requires = "provider")]
    public_url: Option<String>,
}

/// A request that is not signed yet, and its signer.
struct Outgoing {
    label: String,
    name: &'static str,
    request: Request<Bytes>,
    signer: Box<dyn Signer>,
}

/// Which keys of a family have no value.
struct NotSet(String);

impl Outgoing {
    fn new(
        family: &Family,
        args: &Args,
        matches: &ArgMatches,
    ) -> Result<Result<Self, NotSet>, Box<dyn Error>> {
        let (kind, body) = match &args.event {
            None => (family.events)()[0],
            Some(event) => {
                *(family.events)().iter().find(|(kind, _)| kind == event).ok_or_else(|| {
                    let known: Vec<_> = (family.events)().iter().map(|(kind, _)| *kind).collect();
                    format!(
                        "{} has no event {event:?}; there are {}",
                        family.name,
                        known.join(", ")
                    )
                })?
            }
        };
        // clap's name of `--app-id` is `app_id`.
        let flag =
            |flag: &str| matches.get_one::<String>(&flag.trim_start_matches('-').replace('-', "_"));
        let takes: Vec<_> = family.needs.iter().map(|(_, flag)| *flag).collect();
        let all = FAMILIES.iter().flat_map(|family| family.needs).map(|(_, flag)| *flag);
        let all: BTreeSet<_> = all.collect();
        for key in all.iter().filter(|key| flag(key).is_some() && !takes.contains(key)) {
            eprintln!("warning: {} has no {key}; it takes {}", family.name, takes.join(", "));
        }
        let vars = Vars::new(family.vars)?;
        let value = |(variable, name): &(&str, &str)| {
            let value = flag(name).cloned().or_else(|| vars.get(variable));
            value.ok_or_else(|| {
                NotSet(format!("{}: neither {variable} nor {name} is set", family.name))
            })
        };
        let values = match family.needs.iter().map(value).collect::<Result<Vec<_>, _>>() {
            Ok(values) => values,
            Err(not_set) => return Ok(Err(not_set)),
        };
        let signer = (family.signer)(&values).map_err(|error| {
            let named = family.needs.iter().map(|(variable, flag)| format!("{variable} ({flag})"));
            format!("{}: {}: {error}", family.name, named.collect::<Vec<_>>().join(" or "))
        })?;
        let (url, from) = match &args.url {
            Some(url) => (url.clone(), "--url"),
            None => {
                let addr = variable("RECEIVER_ADDR")?;
                let addr = addr.as_deref().unwrap_or(vars::RECEIVER_ADDR);
                (format!("http://{addr}{}", family.route), "RECEIVER_ADDR")
            }
        };
        let request = Request::post(&url)
            .header(header::CONTENT_TYPE, family.content_type)
            .body(
                body.replace("FRESH", &format!("{:012}", fastrand::u64(..1_000_000_000_000)))
                    .into(),
            )
            .map_err(|error| format!("{from}: {url}: {error}"))?;
        let label = format!("{} {kind}", family.name);
        Ok(Ok(Self { label, name: family.name, request, signer }))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::command().get_matches()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("send: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(matches: ArgMatches) -> Result<bool, Box<dyn Error>> {
    let args = Args::from_arg_matches(&matches)?;
    let mut outgoing = Vec::new();
    for family in FAMILIES {
        if args.provider.as_ref().is_some_and(|provider| provider != family.name) {
            continue;
        }
        match Outgoing::new(family, &args, &matches)? {
            Ok(event) => outgoing.push(event),
            Err(NotSet(which)) if args.provider.is_some() => return Err(which.into()),
            Err(NotSet(which)) => eprintln!("left out: {which}"),
        }
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut accepted = true;
    for event in outgoing {
        let Outgoing { label, name, request, signer } = event;
        let request = signer.sign(request, SystemTime::now());
        for _ in 0..=u8::from(args.repeat) {
            accepted &= post(&client, &label, name, request.clone(), args.timeout).await?;
        }
    }
    Ok(accepted)
}

/// What to check first.
fn hint(status: StatusCode, family: &str) -> Option<&'static str> {
    Some(match (status, family) {
        (StatusCode::UNAUTHORIZED, "vobiz-voice") => {
            "the receiver refused the signature: does it have the same public URL \
             (VOBIZ_PUBLIC_URL, --public-url), and the \
             same secret?"
        }
        (StatusCode::UNAUTHORIZED, family) if family.starts_with("vobiz-") => {
            "the receiver refused the signature: does it have the same secret? Is the URL that of \
             the same family?"
        }
        (StatusCode::UNAUTHORIZED, "geelark-token" | "stardust") => {
            "the receiver refused the credential: does it have the same secret?"
        }
        (StatusCode::UNAUTHORIZED, _) => {
            "the receiver refused the signature: does it have the same secret? Do both machines' \
             clocks agree?"
        }
        (StatusCode::NOT_FOUND, _) => {
            "the receiver has no such route: are the variables of the provider set there?"
        }
        (StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST, _) => {
            "is the URL that of the same family?"
        }
        (StatusCode::CONFLICT, _) => {
            "the receiver has seen the signature with other content, or is still handling it"
        }
        (StatusCode::SERVICE_UNAVAILABLE, _) => {
            "the receiver's replay store cannot be asked, or has no room"
        }
        _ => return None,
    })
}

async fn post(
    client: &Client<HttpConnector, Full<Bytes>>,
    label: &str,
    name: &str,
    request: Request<Bytes>,
    seconds: u64,
) -> Result<bool, Box<dyn Error>> {
    println!("{label}: {} {}", request.method(), request.uri());
    println!("  {}", String::from_utf8_lossy(request.body()));
    let url = request.uri().clone();
    let answer = client.request(request.map(Full::new));
    let answer = timeout(Duration::from_secs(seconds), answer).await;
    let answer = answer.map_err(|_| format!("{url}: no answer within {seconds} s (--timeout)"))?;
    let response = answer.map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{url}: {error}{cause} (is the receiver running?)")
    })?;
    let status = response.status();
    println!("  {status}");
    if let Some(hint) = hint(status, name) {
        eprintln!("  {hint}");
    }
    Ok(status.is_success())
}
