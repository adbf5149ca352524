//! Connections: each has its place, its deadlines, and ends when nothing moves on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};

use crate::Limits;
use crate::places::{Place, Places};

/// Bytes that the head of a request may have.
const HEAD_BYTES: usize = 64 << 10;

/// Accepts connections and answers them by `router`; ends only when it is dropped.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    graceful: &GracefulShutdown,
) {
    let places = Arc::new(Places::new(&limits));
    let router = TowerToHyperService::new(router);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // A client that went away, or no file descriptors left: neither ends the server.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // A peer whose connections are all being answered gets no other one.
        let Some(place) = places.take(peer.ip()).await else {
            continue;
        };
        serve(stream, place, router.clone(), limits, graceful);
    }
}

/// Answers the requests of one connection, until it ends or has to make room.
fn serve(
    stream: TcpStream,
    place: Arc<Place>,
    router: TowerToHyperService<Router>,
    limits: Limits,
    graceful: &GracefulShutdown,
) {
    let connection = TokioIo::new(Connection::new(stream, place.clone(), limits));
    let of_request = place.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(of_request.clone());
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(connection, service);
    let served = graceful.watch(served);
    tokio::spawn(async move {
        tokio::select! {
            // How a connection ended is its client's affair.
            _ = served => (),
            () = place.told_to_leave() => (),
        }
    });
}

/// One connection, which ends itself when nothing moves on it.
struct Connection {
    stream: TcpStream,
    limits: Limits,
    place: Arc<Place>,
    still: Pin<Box<Sleep>>,
    unread: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    fn new(stream: TcpStream, place: Arc<Place>, limits: Limits) -> Self {
        // Small answers go out at once; where that cannot be set, they are a little later.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            limits,
            place,
            still: Box::pin(tokio::time::sleep(limits.still)),
            unread: None,
        }
    }

    /// Something has moved.
    fn moved(&mut self) {
        let still = self.limits.still;
        self.still.as_mut().reset(Instant::now() + still);
        self.unread = None;
    }

    /// The outcome of a write, with the time that it is waiting for the client counted.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if poll.is_ready() {
            self.moved();
            self.place.moved();
            return poll;
        }
        let patience = self.limits.unread;
        let unread = self
            .unread
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match Future::poll(unread.as_mut(), cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(read) => {
                this.moved();
                Poll::Ready(read)
            }
            Poll::Pending => match Future::poll(this.still.as_mut(), cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
