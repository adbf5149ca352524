//! The server's life: bind, serve, stop.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::connection::Connections;
use crate::hosts::Hosts;
use crate::queue::{self, Queue};
use crate::trace_cache::TraceCache;
use crate::{Error, Limits, ServeOptions, api};

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
    limits: Limits,
    app: Arc<App>,
}

impl Server {
    /// Listens on the address of `options`, with nothing answered until [`run`](Self::run).
    ///
    /// # Errors
    /// [`Error::Nothing`], [`Error::OtherModel`], [`Error::Listen`].
    pub fn bind(options: ServeOptions) -> Result<Self, Error> {
        let (address, limits) = (options.address, options.limits);
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
        };
        Ok(Self {
            listener,
            address,
            limits,
            app: Arc::new(app),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open in a browser.
    #[must_use]
    pub fn url(&self) -> String {
        match self.address {
            address if address.ip().is_unspecified() => {
                format!("http://localhost:{}/", address.port())
            }
            address => format!("http://{address}/"),
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
        let served = runtime.block_on(self.serve(Arc::new(stop)));
        runtime.shutdown_timeout(SHUTDOWN);
        served
    }

    async fn serve(self, stop: Arc<dyn Fn() -> bool + Send + Sync>) -> Result<(), Error> {
        let app = self.app;
        app.traces.read_first();
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let connections = Connections::new(listener, self.limits);
        let stopped = {
            let (stop, app) = (stop.clone(), app.clone());
            async move {
                until(&*stop).await;
                app.queue.cancel_all();
                app.traces.cancel_all();
            }
        };
        let router = api::router(app);
        let served = axum::serve(connections, router).with_graceful_shutdown(stopped);
        let patience = async {
            until(&*stop).await;
            tokio::time::sleep(SHUTDOWN).await;
        };
        tokio::select! {
            served = served => Ok(served?),
            () = patience => Ok(()),
        }
    }
}

async fn until(stop: &(dyn Fn() -> bool + Send + Sync)) {
    while !stop() {
        tokio::time::sleep(STOP_CHECK).await;
    }
}
