//! `boxyard certificate`: a certificate authority, a certificate for the registry, and what to do with them.

mod authority;
mod host;
mod instructions;
mod keep;
mod server;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use rcgen::{CertificateParams, DistinguishedName, DnType, date_time_ymd};

use authority::Authority;
pub(crate) use host::Host;
use instructions::Instructions;

/// The longest life that Apple's clients accept of a server's certificate from a private authority.
const USUAL_DAYS: i64 = 825;

/// As long as a new authority lives at least.
const MOST_DAYS: i64 = 3650;

/// Clients whose clocks are behind accept a new certificate as well.
const BACKDATED: Duration = Duration::from_hours(24);

const DAY: Duration = Duration::from_hours(24);

/// What longer than a line is said about the command.
pub(crate) const HELP: &str = "\
Makes a certificate authority of your own (ca.crt, ca.key) and a certificate for the registry that
it signs (HOST.crt, HOST.key), and prints what to paste: on the registry's machine, and on every
client with Docker, containerd, Podman or anything that reads the system's store.

A second call with the same folder takes the authority that lies there, so that clients which
trust it need not be touched again. No key is ever overwritten. Keep ca.key away from strangers:
whoever has it can pretend to be any server towards your clients.";

/// How the command is called.
pub(crate) const EXAMPLES: &str = "\
Examples:
  boxyard certificate registry.example.com
  boxyard certificate registry.example.com 192.0.2.7 --out /etc/boxyard/tls
  boxyard certificate '*.example.com' registry.lan:443 --days 365
  boxyard certificate registry.example.com --renew
                                     a new certificate for the same key, before the old one ends";

/// What the command is told.
#[derive(Debug, clap::Args)]
pub(crate) struct CertificateArguments {
    /// Names and addresses by which clients reach the registry, each perhaps with a port
    #[arg(value_name = "HOST[:PORT]", required = true)]
    hosts: Vec<Host>,

    /// The folder for keys and certificates
    #[arg(long, value_name = "FOLDER", default_value = "certificates")]
    out: PathBuf,

    /// How many days the registry's certificate is valid; Apple's clients refuse more than the default
    #[arg(long, value_name = "DAYS", default_value_t = USUAL_DAYS, value_parser = clap::value_parser!(i64).range(1..=MOST_DAYS))]
    days: i64,

    /// The port of hosts that come without one
    #[arg(long, value_name = "PORT", default_value_t = 5000, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// Make a new certificate for the key that is there; all hosts of the old one must be named
    #[arg(long)]
    renew: bool,
}

/// Makes what is missing, and prints what to do with it.
pub(crate) fn run(arguments: &CertificateArguments) -> anyhow::Result<()> {
    let folder = keep::folder(&arguments.out)?;
    let life = Life::of_days(arguments.days)?;
    let first = &arguments.hosts[0];
    let server = server::Files::of(&folder, first);
    server.check(arguments.renew)?;
    if arguments.renew {
        server.check_names(&arguments.hosts)?;
    }
    let authority = Authority::of_folder(&folder, &first.to_string(), life)?;
    server.make(&authority, &arguments.hosts, life)?;
    let instructions = Instructions {
        hosts: &arguments.hosts,
        port: arguments.port,
        authority: &authority,
        server: &server,
        days: arguments.days,
    };
    print(&instructions.to_string())
}

/// From when to when a certificate of the registry is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Life {
    begin: Duration,
    end: Duration,
}

impl Life {
    fn of_days(days: i64) -> anyhow::Result<Self> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .context("the clock of this machine is before 1970: set it first")?;
        let days = u32::try_from(days).context("count the days")?;
        Ok(Self {
            begin: now.saturating_sub(BACKDATED),
            end: now + DAY * days,
        })
    }

    /// The same, so much longer.
    fn longer(self, by: Duration) -> Self {
        Self {
            end: self.end + by,
            ..self
        }
    }

    fn apply_to(self, params: &mut CertificateParams) {
        params.not_before = date_time_ymd(1970, 1, 1) + self.begin;
        params.not_after = date_time_ymd(1970, 1, 1) + self.end;
    }
}

/// A subject with this common name, of which the standard allows 64 characters.
fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    let name: String = name.chars().take(64).collect();
    subject.push(DnType::CommonName, name);
    subject
}

/// The path as text, for the lines that are printed.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .context("print what to do with the certificate")
}
