//! Requests to the hub: where they go, what they carry, and what their answers mean.

use std::io::Read;

use ureq::http::{HeaderMap, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::files::Listing;
use crate::store::spec::HubSpec;
use crate::store::{Error, HubSettings, Settings};

/// The longest answer that is held in memory: a listing of tens of thousands of files is shorter.
const MAX_LISTING: u64 = 32 << 20;

/// How often an answer may point to another address.
const MAX_REDIRECTS: usize = 8;

/// Why a request did not give what it should.
pub(super) enum Failure {
    /// Asking again may help.
    Transient(String),
    /// It will not.
    Fatal(Error),
}

/// What a request for a file gave.
pub(super) struct Answer {
    /// 200, 206 or 416.
    pub(super) status: u16,
    /// The file's size, where the server says it.
    pub(super) total: Option<u64>,
    /// Where in the file the body begins.
    pub(super) start: u64,
    /// The file's SHA-256, where the hub says it: it does for large files.
    pub(super) sha256: Option<String>,
    /// The bytes.
    pub(super) body: Box<dyn Read>,
}

/// Speaks with one hub.
pub(super) struct Client<'a> {
    agent: Agent,
    hub: &'a HubSettings,
}

impl<'a> Client<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        let hub = &settings.hub;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here: the token goes to the hub alone, and its redirects carry what is known of the file.
            .max_redirects(0)
            .timeout_resolve(Some(hub.connect))
            .timeout_connect(Some(hub.connect))
            .timeout_recv_response(Some(settings.stall))
            .timeout_per_read(Some(settings.stall))
            .user_agent(concat!("lookback/", env!("CARGO_PKG_VERSION")))
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::PlatformVerifier)
                    .build(),
            );
        if hub
            .endpoint
            .parse::<Uri>()
            .is_ok_and(|uri| is_loopback(&uri))
        {
            config = config.proxy(None);
        }
        Self {
            agent: config.build().into(),
            hub,
        }
    }

    /// The repository's files at its newest commit.
    pub(super) fn listing(&self, spec: &HubSpec) -> Result<Listing, Error> {
        let what = spec.repository();
        let url = format!("{}/api/models/{what}/revision/main", self.hub.endpoint);
        let answer = self.get(&url, 0, &what).map_err(|failure| match failure {
            Failure::Fatal(error) => error,
            Failure::Transient(reason) => self.hub_error(&what, reason),
        })?;
        let mut text = Vec::new();
        let read = answer.body.take(MAX_LISTING + 1).read_to_end(&mut text);
        read.map_err(|error| self.hub_error(&what, plain(&error)))?;
        if text.len() as u64 > MAX_LISTING {
            return Err(self.hub_error(&what, "its list of files is longer than 32 MiB".to_owned()));
        }
        serde_json::from_slice(&text).map_err(|error| {
            self.hub_error(
                &what,
                format!("its list of files is not as expected: {error}"),
            )
        })
    }

    /// The address of one file at one commit.
    pub(super) fn file_url(&self, spec: &HubSpec, commit: &str, file: &str) -> String {
        format!(
            "{}/{}/resolve/{commit}/{}",
            self.hub.endpoint,
            spec.repository(),
            percent_encode(file)
        )
    }

    /// Asks for `url` from byte `from` on, for `what` as it stands in messages.
    pub(super) fn get(&self, url: &str, from: u64, what: &str) -> Result<Answer, Failure> {
        let mut url =
            parse_url(url).map_err(|reason| Failure::Fatal(self.hub_error(what, reason)))?;
        let mut known = Known::default();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self
                .agent
                .get(&url)
                .header(header::ACCEPT_ENCODING, "identity");
            if from > 0 {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            if let Some(token) = self.token_for(&url) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.call().map_err(|error| self.failure(&error, what))?;
            known.learn(response.headers());
            let status = response.status().as_u16();
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return self.answer(status, response.into_parts(), known, what);
            }
            let location = response
                .headers()
                .get(header::LOCATION)
                .and_then(|value| value.to_str().ok());
            url = location
                .and_then(|location| follow(&url, location))
                .ok_or_else(|| {
                    Failure::Fatal(
                        self.hub_error(what, format!("HTTP {status} leads nowhere safe")),
                    )
                })?;
        }
        Err(Failure::Fatal(
            self.hub_error(what, "too many redirects".to_owned()),
        ))
    }

    fn answer(
        &self,
        status: u16,
        (parts, body): (ureq::http::response::Parts, Body),
        known: Known,
        what: &str,
    ) -> Result<Answer, Failure> {
        let fatal = |error| Err(Failure::Fatal(error));
        let (what, host) = (what.to_owned(), self.host());
        let range = content_range(&parts.headers);
        let (start, total) = match status {
            200 => (0, known.size.or_else(|| content_length(&parts.headers))),
            206 => match range {
                Some((Some(start), total)) => (start, known.size.or(total)),
                _ => {
                    return Err(Failure::Transient(
                        "it sent a part of the file without saying which".to_owned(),
                    ));
                }
            },
            416 => (0, known.size.or(range.and_then(|(_, total)| total))),
            401 | 403 => {
                return fatal(Error::Access {
                    what,
                    host,
                    status,
                    hint: self.access_hint(),
                });
            }
            404 => return fatal(Error::NotFound { what, host }),
            408 | 429 | 500..=599 => return Err(Failure::Transient(format!("HTTP {status}"))),
            _ => {
                return fatal(Error::Hub {
                    what,
                    host,
                    reason: format!("HTTP {status}"),
                });
            }
        };
        Ok(Answer {
            status,
            total,
            start,
            sha256: known.sha256,
            body: Box::new(body.into_reader()),
        })
    }

    fn access_hint(&self) -> &'static str {
        if self.hub.token.is_some() {
            "the token in HF_TOKEN does not open it; accept the model's terms on its page, or use another token"
        } else {
            "check how it is spelt; if it is private or gated, set HF_TOKEN to an access token"
        }
    }

    /// The token, where `url` is the hub itself and nobody on the way can read it.
    fn token_for(&self, url: &Uri) -> Option<&str> {
        let hub: Uri = self.hub.endpoint.parse().ok()?;
        let same = url.scheme() == hub.scheme() && url.authority() == hub.authority();
        let private = url.scheme_str() == Some("https") || is_loopback(url);
        self.hub.token.as_deref().filter(|_| same && private)
    }

    fn failure(&self, error: &ureq::Error, what: &str) -> Failure {
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                let seconds = self.hub.connect.as_secs_f32();
                Failure::Fatal(
                    self.hub_error(what, format!("no connection within {seconds} seconds")),
                )
            }
            ureq::Error::Timeout(_) => {
                Failure::Fatal(self.hub_error(what, "it does not answer".to_owned()))
            }
            ureq::Error::HostNotFound => {
                Failure::Fatal(self.hub_error(what, "its address is not known".to_owned()))
            }
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Failure::Fatal(self.hub_error(what, "it refuses the connection".to_owned()))
            }
            ureq::Error::Io(error) => Failure::Transient(plain(error)),
            ureq::Error::Protocol(error) => Failure::Transient(error.to_string()),
            error => Failure::Fatal(self.hub_error(what, error.to_string())),
        }
    }

    /// A failure that is the hub's, or the way's to it.
    pub(super) fn hub_error(&self, what: &str, reason: String) -> Error {
        Error::Hub {
            what: what.to_owned(),
            host: self.host(),
            reason,
        }
    }

    fn host(&self) -> String {
        let endpoint = &self.hub.endpoint;
        let uri = endpoint.parse::<Uri>().ok();
        uri.and_then(|uri| uri.host().map(str::to_owned))
            .unwrap_or_else(|| endpoint.clone())
    }
}

/// What the hub says of a file on the way to it.
#[derive(Default)]
struct Known {
    size: Option<u64>,
    sha256: Option<String>,
}

impl Known {
    fn learn(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let size = text("x-linked-size").and_then(|size| size.trim().parse().ok());
        self.size = self.size.or(size);
        let tag =
            text("x-linked-etag").map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'));
        let digest =
            tag.filter(|tag| tag.len() == 64 && tag.bytes().all(|b| b.is_ascii_hexdigit()));
        self.sha256 = self
            .sha256
            .take()
            .or_else(|| digest.map(str::to_ascii_lowercase));
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Start and total of `Content-Range: bytes START-END/TOTAL`; `*` stands for what is not said.
fn content_range(headers: &HeaderMap) -> Option<(Option<u64>, Option<u64>)> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let start = range
        .split_once('-')
        .and_then(|(start, _)| start.trim().parse().ok());
    Some((start, total.trim().parse().ok()))
}

fn parse_url(url: &str) -> Result<Uri, String> {
    url.parse::<Uri>()
        .ok()
        .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .ok_or_else(|| "its address is not an http(s) URL; check HF_ENDPOINT".to_owned())
}

/// Where `location`, answered at `from`, leads; never from https to plain http.
fn follow(from: &Uri, location: &str) -> Option<Uri> {
    let scheme = from.scheme_str()?;
    let target = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{}{location}", from.authority()?)
    } else {
        location.to_owned()
    };
    let target = parse_url(&target).ok()?;
    (scheme == "http" || target.scheme_str() == Some("https")).then_some(target)
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// `path` as it stands in an address (RFC 3986): unreserved characters and `/` stay.
fn percent_encode(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(byte.into())
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

/// What an error of the network says, without its code.
pub(super) fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::TimedOut => "it stopped sending".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_followed_where_it_is_safe() {
        let to = |from: &str, location: &str| {
            follow(&from.parse().unwrap(), location).map(|uri| uri.to_string())
        };
        assert_eq!(
            to("https://a/b", "/c?d=e").as_deref(),
            Some("https://a/c?d=e")
        );
        assert_eq!(
            to("https://a/b", "https://c/d").as_deref(),
            Some("https://c/d")
        );
        assert_eq!(to("https://a/b", "//c/d").as_deref(), Some("https://c/d"));
        assert_eq!(
            to("http://a/b", "https://c/d").as_deref(),
            Some("https://c/d")
        );
        assert_eq!(to("https://a/b", "http://c/d"), None);
        assert_eq!(to("https://a/b", "file:///etc/passwd"), None);
    }

    #[test]
    fn the_token_goes_to_the_hub_alone() {
        let mut settings = Settings::from_env().unwrap();
        settings.hub.endpoint = "https://hub.example".to_owned();
        settings.hub.token = Some("t".to_owned());
        let sent = |settings: &Settings, url: &str| {
            Client::new(settings)
                .token_for(&url.parse().unwrap())
                .is_some()
        };
        assert!(sent(&settings, "https://hub.example/a"));
        assert!(!sent(&settings, "https://cdn.example/a"));
        assert!(!sent(&settings, "https://hub.example:444/a"));
        assert!(!sent(&settings, "http://hub.example/a"));
        settings.hub.endpoint = "http://hub.example".to_owned();
        assert!(!sent(&settings, "http://hub.example/a"));
        settings.hub.endpoint = "http://127.0.0.1:80".to_owned();
        assert!(sent(&settings, "http://127.0.0.1:80/a"));
    }

    #[test]
    fn file_names_are_written_into_addresses() {
        assert_eq!(
            percent_encode("a b/é#%?.gguf"),
            "a%20b/%C3%A9%23%25%3F.gguf"
        );
    }

    #[test]
    fn ranges_are_read() {
        let range = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, text.parse().unwrap());
            content_range(&headers)
        };
        assert_eq!(range("bytes 5-9/10"), Some((Some(5), Some(10))));
        assert_eq!(range("bytes 5-9/*"), Some((Some(5), None)));
        assert_eq!(range("bytes */10"), Some((None, Some(10))));
        assert_eq!(range("lines 1-2/3"), None);
    }
}
