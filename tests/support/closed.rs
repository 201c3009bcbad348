//! A service that never gets ready.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::{
    future::Pending,
    task::{Context, Poll},
};
use tower::Service;

/// It says so each time, and must not be called.
#[derive(Clone)]
pub struct Closed;

impl Service<Request<Full<Bytes>>> for Closed {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = Pending<Result<Response<String>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Err("closed"))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        panic!("called after it failed to become ready");
    }
}
