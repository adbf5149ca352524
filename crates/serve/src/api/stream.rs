//! Answers that come line by line: one JSON object a line.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde::Serialize;
use tokio::sync::mpsc;

/// Lines that may wait for a client that is slow to read.
const AHEAD: usize = 16;

/// Where lines are put; a client that is gone is an error.
pub(super) struct Lines(mpsc::Sender<Bytes>);

/// The client does not listen any more.
pub(super) struct Gone;

impl Lines {
    /// Sends one line, waiting where the client is slow. Not for threads that serve connections.
    pub(super) fn send(&self, line: &impl Serialize) -> Result<(), Gone> {
        let mut bytes = serde_json::to_vec(line).map_err(|_| Gone)?;
        bytes.push(b'\n');
        self.0.blocking_send(bytes.into()).map_err(|_| Gone)
    }
}

/// An answer, and where its lines are put.
pub(super) fn lines() -> (Lines, Response) {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let kind = HeaderValue::from_static("application/x-ndjson");
    let body = Body::from_stream(Receiver(receiver));
    (
        Lines(sender),
        ([(header::CONTENT_TYPE, kind)], body).into_response(),
    )
}

struct Receiver(mpsc::Receiver<Bytes>);

impl Stream for Receiver {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(Ok))
    }
}
