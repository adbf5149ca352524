//! `serve`: the text, its heads and their maps in a browser.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use lookback_heads::example;
use lookback_model::WeightsKind;
use lookback_model::store::DEFAULT_MODEL;
use lookback_serve::{Error, Limits, NamedModel, ServeOptions, Server};
use lookback_trace::Trace;
use serde::Serialize;

use crate::args::{CheckpointArgs, InterventionArgs, ModelArgs, PrefixArg, TextArgs};
use crate::context::{Context, Loaded};
use crate::run::InputSize;
use crate::{interrupt, output};

const EXAMPLES: &str = "\
Examples:
  lookback serve
  lookback serve \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\"
  lookback serve --file essay.txt --ablate 5.1 --no-open --port 8080
  lookback serve --trace essay.safetensors

The address that is printed holds a token, another one each time: whoever has it may read and ask. Programs send it
as the header Authorization: Bearer TOKEN. Ctrl-C ends the server.";

/// The port that is taken where none is named and this one is free: links keep their meaning.
const PORT: u16 = 4664;

/// Look at a text in a browser
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// The text to begin with; `-` reads standard input
    text: Option<OsString>,
    /// Read the text from a file, in UTF-8
    #[arg(long, value_name = "PATH", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Look at a trace that `lookback trace` kept; what needs a model needs --model too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "file", "prefix", "ablate", "cut", "mean_over"])]
    trace: Option<PathBuf>,
    /// A name that `lookback models` lists, a folder, a .gguf file, or hf:OWNER/NAME[/FILE]; else the default model,
    /// and with --trace none
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The tokens before the text: `none`, `bos`, or a text, which may hold special tokens [default: the prefix
    /// declared for the model, else its bos token, else none]
    #[arg(long, value_name = "none|bos|TEXT")]
    prefix: Option<PrefixArg>,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// The port; 0 takes any free one [default: 4664, else any free one]
    #[arg(long)]
    port: Option<u16>,
    /// The address to listen on; others than the loopback let in whoever has the token, from other machines too
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
    /// Let in whoever reaches the loopback address, any user of this machine, without the token
    #[arg(long)]
    no_token: bool,
    #[command(flatten)]
    interventions: InterventionArgs,
}

#[derive(Serialize)]
struct Listening<'a> {
    /// With the token.
    url: &'a str,
    /// None where it is not needed.
    token: Option<&'a str>,
    /// Of the text that the page begins with; none of a trace.
    #[serde(flatten)]
    size: Option<InputSize>,
}

/// Runs the command.
pub(crate) fn run(args: &ServeArgs, context: &Context) -> anyhow::Result<()> {
    if args.interventions.reference.mean_over.is_some() {
        bail!(
            "the page ablates heads to zero only; leave out --mean-over, or use `lookback look` or `lookback who`"
        );
    }
    if args.no_token && !args.host.is_loopback() {
        bail!(
            "{} can be reached by other machines, which only the token keeps out; leave out --no-token, or --host",
            args.host
        );
    }
    let trace = args.trace.as_ref().map(Trace::open).transpose()?;
    let text = match (&args.text, &args.file) {
        (None, None) => example::SENTENCE.to_owned(),
        (text, file) => TextArgs {
            text: text.clone(),
            file: file.clone(),
        }
        .read()?,
    };
    let model = match (&args.model, &trace) {
        (Some(spec), _) => Some(load(spec, &args.checkpoint, context)?),
        (None, None) => Some(load(DEFAULT_MODEL, &args.checkpoint, context)?),
        (None, Some(_)) => None,
    };
    let size = match (&model, &trace) {
        (Some(model), None) => Some(check_text(model, &text, args, context)?),
        _ => None,
    };
    let options = |port| ServeOptions {
        address: SocketAddr::new(args.host, port),
        model: model.clone(),
        trace: None,
        text: text.clone(),
        interventions: args.interventions.named(),
        prefix: PrefixArg::or_declared(args.prefix.as_ref()),
        token: !args.no_token,
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
    announce(&server, size, args, context)?;
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

/// How many tokens the text has. What the text or the model does not have is an error here, and not on a page that
/// has nothing to show.
fn check_text(
    named: &NamedModel,
    text: &str,
    args: &ServeArgs,
    context: &Context,
) -> anyhow::Result<InputSize> {
    let model = ModelArgs {
        model: Some(named.name.clone()),
        prefix: args.prefix.clone(),
        truncate: false,
        checkpoint: args.checkpoint.clone(),
    };
    let encoding = context.encode(&named.model, text, &model)?;
    args.interventions.named().on(&named.model, &encoding)?;
    Ok(InputSize::new(&named.model, &encoding))
}

/// Whether the usual port can be had.
fn free(host: IpAddr) -> bool {
    std::net::TcpListener::bind((host, PORT)).is_ok()
}

/// A model with its name and hash.
pub(in crate::commands) fn load(
    spec: &str,
    checkpoint: &CheckpointArgs,
    context: &Context,
) -> anyhow::Result<NamedModel> {
    let loaded = context.load(spec, checkpoint, WeightsKind::F32)?;
    let sha256 = loaded.sha256()?;
    let Loaded {
        model, resolved, ..
    } = loaded;
    Ok(NamedModel {
        model: Arc::new(model),
        name: resolved.name,
        sha256,
    })
}

/// Prints the address, and opens it.
fn announce(
    server: &Server,
    size: Option<InputSize>,
    args: &ServeArgs,
    context: &Context,
) -> anyhow::Result<()> {
    if !args.host.is_loopback() {
        output::note(
            "other machines can reach this address: whoever has the token can have texts read here, and what is sent \
             is not encrypted",
        );
    }
    let url = &server.url();
    if context.json {
        let token = server.token();
        output::print_json(&Listening { url, token, size })?;
    } else {
        let mut out = output::stdout();
        writeln!(out, "{url}")?;
        out.flush()?;
    }
    // Here, since the command does not end by itself.
    context.print_inputs();
    if !args.no_open
        && let Err(error) = open::that_detached(server.browser_url()?)
    {
        output::note(&format!(
            "no browser could be opened ({error}); open the address yourself"
        ));
    }
    Ok(())
}
