//! Signing a request exactly as a provider would.

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use std::{
    error::Error,
    future::{Future, poll_fn},
    time::SystemTime,
};
use tower_service::Service;

/// Signs requests as a provider does: for tests and for trying a receiver out.
///
/// Each provider's module has its own, with settings for what varies between real senders. Unless a
/// nonce is set, each request is signed with a new one.
pub trait Signer {
    /// Adds what the provider would add, signed at `now`.
    fn sign(&self, request: Request<Bytes>, now: SystemTime) -> Request<Bytes>;

    /// Signs a JSON body at the current time, posts it to a service and returns the response.
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use tower_webhooks::{
    ///     Signer as _, Verified, WebhookLayer,
    ///     zegocloud::{Event, Signer, Zegocloud},
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let layer = WebhookLayer::new(Zegocloud::new("a callback secret")?);
    /// let route = post(async |_: Verified<Event>| "ok").route_layer(layer);
    /// let app: Router = Router::new().route("/zegocloud", route);
    ///
    /// let signer = Signer::new("a callback secret")?;
    /// let response = signer.post(&app, "/zegocloud", r#"{"event":"room_create"}"#).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The service's error, and an error for an invalid path.
    fn post<S>(
        &self,
        app: &S,
        path: &str,
        json: impl AsRef<[u8]>,
    ) -> impl Future<Output = Result<S::Response, Box<dyn Error + Send + Sync>>>
    where
        S: Service<Request<Full<Bytes>>, Error: Into<Box<dyn Error + Send + Sync>>> + Clone,
        Self: Sized,
    {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::copy_from_slice(json.as_ref()))
            .map(|request| self.sign(request, SystemTime::now()).map(Full::new));
        let mut app = app.clone();
        async move {
            poll_fn(|cx| app.poll_ready(cx)).await.map_err(Into::into)?;
            app.call(request?).await.map_err(Into::into)
        }
    }
}

/// Sets headers; an invalid value is skipped.
pub(crate) fn with_headers<N: header::IntoHeaderName, V>(
    mut request: Request<Bytes>,
    headers: impl IntoIterator<Item = (N, V)>,
) -> Request<Bytes>
where
    HeaderValue: TryFrom<V>,
{
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            request.headers_mut().insert(name, value);
        }
    }
    request
}

/// Random decimal digits; not for secrets.
pub(crate) fn random_digits(count: usize) -> String {
    std::iter::repeat_with(|| fastrand::digit(10)).take(count).collect()
}
