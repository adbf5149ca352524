//! `serve`: the text, its heads and their maps in a browser.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use lookback_heads::example;
use lookback_model::store::DEFAULT_MODEL;
use lookback_model::{Prefix, WeightsKind};
use lookback_serve::{Error, Limits, NamedModel, ServeOptions, Server};
use lookback_trace::Trace;
use serde::Serialize;

use crate::args::{PrefixArg, TextArgs};
use crate::context::{Context, Loaded};
use crate::interventions::InterventionArgs;
use crate::progress::Spinner;
use crate::{interrupt, output};

/// The port that is taken where none is named and this one is free: links keep their meaning.
const PORT: u16 = 4664;

/// Look at a text in a browser
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// The text to begin with; `-` reads standard input
    text: Option<OsString>,
    /// Read the text from a file, in UTF-8
    #[arg(long, value_name = "PATH", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Look at a trace that `lookback trace` kept; what needs a model needs --model too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "file", "prefix", "ablate", "cut"])]
    trace: Option<PathBuf>,
    /// A name that `lookback models` lists, a folder, a .gguf file, or hf:OWNER/NAME[/FILE]; else the default model,
    /// and with --trace none
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// What stands before the text: `none`, `bos`, or a text, which may hold special tokens
    #[arg(long, value_name = "none|bos|TEXT")]
    prefix: Option<PrefixArg>,
    /// The port; 0 takes any free one [default: 4664, else any free one]
    #[arg(long)]
    port: Option<u16>,
    /// The address to listen on; others than the loopback let other machines in
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
    #[command(flatten)]
    changes: InterventionArgs,
}

#[derive(Serialize)]
struct Listening<'a> {
    url: &'a str,
}

/// Runs the command.
pub(crate) fn run(args: &ServeArgs, context: &Context) -> anyhow::Result<()> {
    if args.changes.reference.mean_over.is_some() {
        bail!("the page ablates heads to zero only; leave --mean-over out, or use look or who");
    }
    let trace = args.trace.as_ref().map(Trace::open).transpose()?;
    let text = match (&args.text, &args.file) {
        (None, None) => example::SENTENCE.to_owned(),
        (text, file) => context.text(&TextArgs {
            text: text.clone(),
            file: file.clone(),
        })?,
    };
    let model = match (&args.model, &trace) {
        (Some(spec), _) => Some(load(spec, context)?),
        (None, None) => Some(load(DEFAULT_MODEL, context)?),
        (None, Some(_)) => None,
    };
    if let (Some(named), false) = (&model, args.changes.changes().is_empty()) {
        // What the text or the model does not have is said here, and not by a page that has nothing to show.
        let encoding = named.model.tokenizer().encode(&text, &prefix(args))?;
        args.changes.changes().on(&named.model, &encoding)?;
    }
    let options = |port| ServeOptions {
        address: SocketAddr::new(args.host, port),
        model: model.clone(),
        trace: None,
        text: text.clone(),
        interventions: args.changes.changes(),
        prefix: prefix(args),
        limits: Limits::default(),
    };
    let with_trace = |port, trace| ServeOptions {
        trace,
        ..options(port)
    };
    let server = match args.port {
        Some(port) => Server::bind(with_trace(port, trace))?,
        None if free(args.host) => Server::bind(with_trace(PORT, trace))?,
        None => Server::bind(with_trace(0, trace))?,
    };
    announce(&server.url(), args, context)?;
    // Connections are ended and what is being computed is stopped before the process ends.
    let graceful = interrupt::graceful();
    let served = server.run(interrupt::requested);
    // From here on the process ends on its own, with the exit code of a command that did what it was asked.
    std::mem::forget(graceful);
    match served {
        Err(Error::System(error)) if interrupt::requested() => {
            output::note(&format!("stopped: {error}"));
            Ok(())
        }
        served => Ok(served?),
    }
}

/// What stands before each text.
fn prefix(args: &ServeArgs) -> Prefix {
    let named = args.prefix.as_ref();
    named.map_or(Prefix::Declared, |prefix| prefix.0.clone())
}

/// Whether the usual port can be had.
fn free(host: IpAddr) -> bool {
    std::net::TcpListener::bind((host, PORT)).is_ok()
}

/// A model with its name and hash.
pub(in crate::commands) fn load(spec: &str, context: &Context) -> anyhow::Result<NamedModel> {
    let Loaded { model, resolved } = context.load(spec, WeightsKind::F32)?;
    let spinner = Spinner::start(format!("checking {}", resolved.name));
    let sha256 = resolved
        .sha256
        .unwrap_or_else(|| model.checkpoint().provenance().sha256());
    spinner.finish();
    Ok(NamedModel {
        model: Arc::new(model),
        name: resolved.name,
        sha256,
    })
}

/// Prints the address, and opens it.
fn announce(url: &str, args: &ServeArgs, context: &Context) -> anyhow::Result<()> {
    if !args.host.is_loopback() {
        output::note(
            "other machines can reach this address, and whoever does can have texts read here",
        );
    }
    if context.json {
        output::print_json(&Listening { url })?;
    } else {
        let mut out = output::stdout();
        writeln!(out, "{url}")?;
        out.flush()?;
    }
    if !args.no_open
        && let Err(error) = open::that_detached(url)
    {
        output::note(&format!(
            "no browser could be opened ({error}); open the address yourself"
        ));
    }
    Ok(())
}
