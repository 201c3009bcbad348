//! A handler that answers as it is told, takes its time and keeps what it was called with.

pub use crate::support::letterbox::refusal as kind;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhooks::{
    Provider, Verified, WebhookLayer,
    replay::{Duplicate, ReplayCheck},
};

#[derive(Clone, Default)]
pub struct Handler {
    takes: Duration,
    /// In the place of 200.
    status: Option<StatusCode>,
    answers: Arc<Mutex<Vec<u16>>>,
    calls: Arc<Mutex<Vec<(u32, ReplayCheck)>>>,
}

impl Handler {
    /// Answers with these statuses first.
    pub fn answering(answers: &[u16]) -> Self {
        let answers = answers.iter().rev().copied().collect();
        Self { answers: Arc::new(Mutex::new(answers)), ..Self::default() }
    }

    /// The same handler, taking so long.
    pub fn slow(&self, takes: Duration) -> Self {
        Self { takes, ..self.clone() }
    }

    /// The same handler, answering 500.
    pub fn failing(&self) -> Self {
        Self { status: Some(StatusCode::INTERNAL_SERVER_ERROR), ..self.clone() }
    }

    /// The attempt of each call, and where it was checked.
    pub fn checks(&self) -> Vec<(u32, ReplayCheck)> {
        self.calls.lock().unwrap().clone()
    }

    pub fn attempts(&self) -> Vec<u32> {
        self.checks().into_iter().map(|(attempt, _)| attempt).collect()
    }

    pub fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    pub async fn handle<E: Send + Sync + 'static>(
        self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<String>, Infallible> {
        let metadata = request.extensions().get::<Verified<E>>().unwrap().metadata().clone();
        self.calls.lock().unwrap().push((metadata.attempt, metadata.checked));
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        let mut response = Response::new("handled".to_owned());
        if let Some(status) = self.answers.lock().unwrap().pop() {
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
        }
        if let Some(status) = self.status {
            *response.status_mut() = status;
        }
        Ok(response)
    }
}

pub async fn send<P: Provider>(
    layer: &WebhookLayer<P>,
    handler: &Handler,
    request: &Request<Bytes>,
) -> Response<String> {
    let handler = handler.clone();
    let service =
        layer.layer(service_fn(move |request| handler.clone().handle::<P::Event>(request)));
    service.oneshot(request.clone().map(Full::new)).await.unwrap()
}

pub fn is_repeat(response: &Response<String>) -> bool {
    response.status() == 200
        && response.extensions().get::<Duplicate>().is_some()
        && response.body().is_empty()
}
