//! The server's life: bind, serve, stop.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;

use crate::access::Access;
use crate::app::App;
use crate::hosts::Hosts;
use crate::queue::{self, Queue};
use crate::trace_cache::TraceCache;
use crate::{Error, ServeOptions, api, connection};

/// How long connections may finish what they are at when the server stops.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// How often the server looks whether it shall stop.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Threads that move bytes; what is computed has its own.
const IO_THREADS: usize = 2;

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
}

impl Server {
    /// Listens on the address of `options`, with nothing answered until [`run`](Self::run).
    ///
    /// # Errors
    /// [`Error::Nothing`], [`Error::OtherModel`], [`Error::NeedsToken`], [`Error::Listen`], and [`Error::System`] where the
    /// system gives no random numbers.
    pub fn bind(options: ServeOptions) -> Result<Self, Error> {
        let (address, limits) = (options.address, options.limits);
        if !options.token && !address.ip().is_loopback() {
            return Err(Error::NeedsToken { address });
        }
        let access = match options.token {
            true => Access::by_token()?,
            false => Access::Open,
        };
        let traces = Arc::new(TraceCache::new(options)?);
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().map_err(|source| Error::Listen { address, source })?;
        let app = App {
            traces,
            queue: Arc::new(Queue::new()),
            scores: Arc::default(),
            hosts: Hosts::of(address),
            access,
            port: address.port(),
            limits,
        };
        Ok(Self {
            listener,
            address,
            app: Arc::new(app),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What those who may ask must show; none where all may.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.app.access.token()
    }

    /// What to open in a browser: the address, with the token where there is one.
    #[must_use]
    pub fn url(&self) -> String {
        self.page(self.token())
    }

    /// The address that a browser is started with. In place of the token it has a code that is good once and for a minute:
    /// the arguments of a program can be listed by other users of the machine.
    ///
    /// # Errors
    /// [`Error::System`] where the system gives no random numbers.
    pub fn browser_url(&self) -> Result<String, Error> {
        Ok(self.page(self.app.access.code()?.as_deref()))
    }

    fn page(&self, token: Option<&str>) -> String {
        let page = match self.address {
            address if address.ip().is_unspecified() => {
                format!("http://localhost:{}/", address.port())
            }
            address => format!("http://{address}/"),
        };
        match token {
            Some(token) => format!("{page}?token={token}"),
            None => page,
        }
    }

    /// Serves until `stop` says so; then what is being computed is cancelled, and connections have a second to end.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn run(self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(IO_THREADS)
            .max_blocking_threads(queue::THREADS)
            .enable_io()
            .enable_time()
            .build()?;
        let served = runtime.block_on(self.serve(stop));
        runtime.shutdown_timeout(SHUTDOWN);
        served
    }

    async fn serve(self, stop: impl Fn() -> bool) -> Result<(), Error> {
        let app = self.app;
        app.traces.read_first();
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let router = api::router(app.clone());
        let graceful = GracefulShutdown::new();
        tokio::select! {
            () = connection::accept(listener, router, app.limits, &graceful) => (),
            () = until(stop) => (),
        }
        app.queue.cancel_all();
        app.traces.cancel_all();
        // Those that are not done in time end with the runtime.
        let _ = tokio::time::timeout(SHUTDOWN, graceful.shutdown()).await;
        Ok(())
    }
}

async fn until(stop: impl Fn() -> bool) {
    while !stop() {
        tokio::time::sleep(STOP_CHECK).await;
    }
}
