//! Signs events as the providers would and posts them to a receiver.
//!
//! ```sh
//! cargo run --example send                                   # one event of every provider
//! cargo run --example send -- zegocloud stream_create        # one event
//! cargo run --example send -- zegocloud stream_create --url http://127.0.0.1:3000/zegocloud --secret …
//! ```
//!
//! Exits with 1 if any was refused.

#[path = "../common/vars.rs"]
mod vars;

mod zegocloud;

use bytes::Bytes;
use clap::{Parser, Subcommand};
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{env, error::Error, process::ExitCode, time::SystemTime};
use tower_webhooks::Signer;

/// Signs events as the providers would and posts them to a receiver.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    provider: Option<Provider>,
}

#[derive(Subcommand)]
enum Provider {
    /// ZEGOCLOUD server callbacks
    Zegocloud(zegocloud::Args),
}

/// A request that is still to be signed, and who signs it.
struct Outgoing {
    label: String,
    request: Request<Bytes>,
    signer: Box<dyn Signer>,
}

impl Outgoing {
    fn post(
        label: String,
        url: Option<String>,
        route: &str,
        content_type: &str,
        body: impl Into<Bytes>,
        signer: impl Signer + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let url = url.unwrap_or_else(|| {
            let addr = env::var("RECEIVER_ADDR").unwrap_or_else(|_| vars::RECEIVER_ADDR.to_owned());
            format!("http://{addr}{route}")
        });
        let request = Request::post(&url)
            .header(header::CONTENT_TYPE, content_type)
            .body(body.into())
            .map_err(|error| format!("{url}: {error}"))?;
        Ok(Self { label, request, signer: Box::new(signer) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("send: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<bool, Box<dyn Error>> {
    let outgoing = match args.provider {
        Some(Provider::Zegocloud(args)) => vec![args.outgoing()?],
        None => vec![zegocloud::Args::default().outgoing()?],
    };
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut accepted = true;
    for event in outgoing {
        accepted &= post(&client, event).await?;
    }
    Ok(accepted)
}

async fn post(client: &Client<HttpConnector, Full<Bytes>>, event: Outgoing) -> Result<bool, Box<dyn Error>> {
    let Outgoing { label, request, signer } = event;
    let request = signer.sign(request, SystemTime::now());
    println!("{label}: {} {}", request.method(), request.uri());
    println!("  {}", String::from_utf8_lossy(request.body()));
    let url = request.uri().clone();
    let response = client.request(request.map(Full::new)).await.map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{url}: {error}{cause} (is the receiver running?)")
    })?;
    let status = response.status();
    println!("  {status}");
    if status == StatusCode::UNAUTHORIZED {
        eprintln!("  the receiver refused the signature: does it have the same secret?");
    }
    Ok(status.is_success())
}
