//! `Verified<E>` as an axum extractor.

use crate::{
    Verified,
    replay::{Duplicate, ReplayedResponse},
};
use axum_core::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header, request::Parts};
use std::{any::type_name, convert::Infallible, fmt};

impl<E, S> FromRequestParts<S> for Verified<E>
where
    E: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NotVerified> {
        parts.extensions.get().cloned().ok_or(NotVerified { event: type_name::<E>() })
    }
}

impl<E, S> OptionalFromRequestParts<S> for Verified<E>
where
    E: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// The extractor's rejection: no layer has put a `Verified<E>` into the request.
///
/// It is answered with 500 and a text that names the layer to add.
#[derive(Clone, Copy, Debug)]
pub struct NotVerified {
    event: &'static str,
}

impl IntoResponse for NotVerified {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl fmt::Display for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event } = self;
        write!(
            f,
            "this handler takes `Verified<{event}>`, but no layer has put one into the request: \
             add `.route_layer(WebhookLayer::new(provider))` to its route, with the provider whose \
             event is `{event}`"
        )
    }
}

impl std::error::Error for NotVerified {}

impl IntoResponse for ReplayedResponse {
    /// The response, with a copy in its extensions for the layer to keep.
    fn into_response(self) -> Response {
        let mut response = self.body.clone().into_response();
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, self.content_type.clone());
        response.extensions_mut().insert(self);
        response
    }
}

impl ReplayedResponse {
    /// Restores the kept body and `Content-Type` when a delivery is repeated; for a `map_response`
    /// outside the webhook layer.
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use http::HeaderValue;
    /// use tower::util::MapResponseLayer;
    /// use tower_webhooks::{WebhookLayer, replay::ReplayedResponse, zegocloud::Zegocloud};
    ///
    /// async fn answer() -> ReplayedResponse {
    ///     ReplayedResponse::new(HeaderValue::from_static("application/json"), r#"{"result":1}"#)
    /// }
    ///
    /// let webhooks = WebhookLayer::new(Zegocloud::new("a callback secret")?);
    /// let fill = MapResponseLayer::new(ReplayedResponse::restore);
    /// let app: Router =
    ///     Router::new().route("/zim", post(answer).layer((fill, webhooks)));
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use {bytes::Bytes, http::Request, std::time::SystemTime, tower::ServiceExt};
    /// # use tower_webhooks::{Signer as _, zegocloud::Signer};
    /// let body = Bytes::from(r#"{"event":"before_send_msg"}"#);
    /// let request = Request::post("/zim").body(body).unwrap();
    /// let request = Signer::new("a callback secret")?.sign(request, SystemTime::now());
    /// for _ in 0..2 {
    ///     let request = request.clone().map(axum::body::Body::from);
    ///     let response = app.clone().oneshot(request).await.unwrap();
    ///     assert_eq!(response.headers()["content-type"], "application/json");
    ///     let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    ///     assert_eq!(body, r#"{"result":1}"#);
    /// }
    /// # Ok::<(), tower_webhooks::ConfigError>(()) })?;
    /// # Ok::<(), tower_webhooks::ConfigError>(())
    /// ```
    pub fn restore(response: Response) -> Response {
        if response.extensions().get::<Duplicate>().is_none() {
            return response;
        }
        let Some(answer) = response.extensions().get::<Self>().cloned() else { return response };
        let (mut head, _) = response.into_parts();
        // That of the empty body: a router that is not nested sets it.
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.insert(header::CONTENT_TYPE, answer.content_type);
        Response::from_parts(head, Body::from(answer.body))
    }
}
