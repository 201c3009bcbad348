//! `Verified<E>` as an axum extractor.

use crate::Verified;
use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use std::{any::type_name, convert::Infallible, fmt, marker::PhantomData};

impl<E, S> FromRequestParts<S> for Verified<E>
where
    E: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = NotVerified<E>;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get().cloned().ok_or(NotVerified(PhantomData))
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

/// A handler asks for an event that no layer in front of it has verified: 500, with a text that names the layer to add.
pub struct NotVerified<E>(PhantomData<fn() -> E>);

impl<E> IntoResponse for NotVerified<E> {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<E> fmt::Display for NotVerified<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = type_name::<E>();
        write!(
            f,
            "this handler takes `Verified<{event}>`, but no layer has put one into the request: add \
             `.route_layer(WebhookLayer::new(provider))` to its route, with the provider whose event is `{event}`"
        )
    }
}

impl<E> fmt::Debug for NotVerified<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<E> std::error::Error for NotVerified<E> {}
