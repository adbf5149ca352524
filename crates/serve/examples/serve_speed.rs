//! How fast the server answers over its socket, and in how much memory:
//!
//! ```sh
//! cargo run --release -p lookback-serve --example serve_speed -- 2048
//! cargo run --release -p lookback-serve --example serve_speed -- 8192 trace
//! ```
//!
//! The number is the length of the text in tokens, read by the default model; with `trace`, the trace is saved
//! as f32, and another process serves it without the model. No tile is asked for twice, so that none comes from the
//! cache. Numbers are medians, with the fastest and the slowest.

#![expect(clippy::print_stdout, reason = "a measurement prints")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lookback_heads::example::SENTENCE;
use lookback_model::store::{Silent, Store};
use lookback_model::{LoadOptions, Logits, Model, Prefix, TraceOptions};
use lookback_serve::{NamedModel, ServeOptions, Server};
use lookback_trace::{SaveOptions, Trace};

type Anything = Box<dyn std::error::Error>;

/// Heads that are asked for a tile of each kind.
const ASKED: usize = 15;

fn main() -> Result<(), Anything> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let length = arguments
        .first()
        .map_or(Ok(2048), |length| length.parse::<usize>())?;
    match arguments.get(1).map(String::as_str) {
        None => measure(read(length)?),
        Some("trace") => {
            let folder =
                std::env::temp_dir().join(format!("lookback-serve-speed-{}", std::process::id()));
            std::fs::create_dir_all(&folder)?;
            let file = folder.join("trace.safetensors");
            read(length)?
                .trace
                .ok_or("no trace")?
                .save(&file, &SaveOptions::default())?;
            let program = std::env::current_exe()?;
            let done = std::process::Command::new(program)
                .arg("0")
                .arg(&file)
                .status()?;
            std::fs::remove_dir_all(&folder)?;
            if done.success() {
                Ok(())
            } else {
                Err("the other process failed".into())
            }
        }
        Some(file) => measure(ServeOptions {
            trace: Some(Trace::open(Path::new(file))?),
            ..ServeOptions::default()
        }),
    }
}

/// The default model, and its trace of a text of `length` tokens.
fn read(length: usize) -> Result<ServeOptions, Anything> {
    let resolved = Store::from_env()?.default_model(&Silent)?;
    let model = Model::load(&resolved.path, &LoadOptions::default())?;
    let text: String = (0..length / 8 + 1)
        .map(|at| format!("{at}. {SENTENCE} "))
        .collect();
    let mut encoding = model.tokenizer().encode(&text, &Prefix::Declared)?;
    encoding.ids.truncate(length);
    encoding.spans.truncate(length);
    let start = Instant::now();
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    let trace = model.trace(&encoding, &options, &())?.trace;
    println!(
        "prefill of {} tokens: {:.2} s",
        trace.n(),
        start.elapsed().as_secs_f64()
    );
    let model = NamedModel {
        model: Arc::new(model),
        name: resolved.name,
        sha256: String::new(),
    };
    Ok(ServeOptions {
        trace: Some(trace),
        model: Some(model),
        ..ServeOptions::default()
    })
}

fn measure(options: ServeOptions) -> Result<(), Anything> {
    let trace = options.trace.as_ref().ok_or("no trace")?;
    let (n, layers, heads) = (trace.n(), trace.layer_count(), trace.head_count(0));
    let memory = || {
        resident().map_or("unknown".to_owned(), |bytes| {
            format!("{:.2} GB", bytes as f64 / 1e9)
        })
    };
    println!(
        "{} threads; resident before the first answer: {}",
        std::thread::available_parallelism()?,
        memory()
    );
    let start = Instant::now();
    let server = Server::bind(options)?;
    let address = server.address();
    std::thread::spawn(move || server.run(|| false));
    let session: serde_json::Value = serde_json::from_slice(&body(address, "/api/1/session")?)?;
    let id = session["trace"].as_str().ok_or("no trace")?.to_owned();
    let ask = |path: String| body(address, &format!("/api/1/traces/{id}{path}"));
    ask(String::new())?;
    ask("/around?index=4".to_owned())?;
    println!(
        "description and first answer about a word: {:.0} ms",
        1e3 * start.elapsed().as_secs_f64()
    );
    let whole = n.div_ceil(256).next_power_of_two().trailing_zeros();
    let head = |at: usize| format!("{}.{}", at * layers / ASKED, at % heads);
    for zoom in (0..=whole).rev() {
        let tiles = n.div_ceil(256 << zoom);
        let mut times = Vec::new();
        for at in 0..ASKED {
            let (row, col) = (tiles - 1, if tiles > 1 { at % (tiles - 1) } else { 0 });
            let start = Instant::now();
            ask(format!(
                "/heads/{}/tile?zoom={zoom}&row={row}&col={col}",
                head(at)
            ))?;
            times.push(1e3 * start.elapsed().as_secs_f64());
        }
        println!(
            "tile at zoom {zoom} ({} weights a cell): {}",
            1_u64 << (2 * zoom),
            spread(&mut times)
        );
    }
    let mut times = Vec::new();
    for at in 0..ASKED {
        let start = Instant::now();
        ask(format!("/around?index={}", at + 5))?;
        times.push(1e3 * start.elapsed().as_secs_f64());
    }
    println!("a word over all heads: {}", spread(&mut times));
    let (first, all) = grid(address, &format!("/api/1/traces/{id}/grid"))?;
    println!(
        "grid of {} heads: first {first:.2} s, all {all:.2} s",
        layers * heads
    );
    println!("resident at the end: {}", memory());
    Ok(())
}

fn spread(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    format!(
        "{:.1} ms ({:.1} to {:.1})",
        times[times.len() / 2],
        times[0],
        times[times.len() - 1]
    )
}

fn request(address: SocketAddr, path: &str) -> Result<TcpStream, Anything> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    Ok(stream)
}

fn body(address: SocketAddr, path: &str) -> Result<Vec<u8>, Anything> {
    let mut answer = Vec::new();
    request(address, path)?.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no answer")?;
    if !answer.starts_with(b"HTTP/1.0 200") {
        return Err(String::from_utf8_lossy(&answer).into_owned().into());
    }
    Ok(answer.split_off(end + 4))
}

/// Seconds to the first picture, and to the last.
fn grid(address: SocketAddr, path: &str) -> Result<(f64, f64), Anything> {
    let start = Instant::now();
    let mut stream = request(address, path)?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    let mut first = None;
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&part[..read]);
        if answer.windows(9).any(|nine| nine == b"\"itself\":") {
            first.get_or_insert(start.elapsed().as_secs_f64());
        }
    }
    Ok((first.ok_or("no picture")?, start.elapsed().as_secs_f64()))
}

/// Bytes of this process that are in memory, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
