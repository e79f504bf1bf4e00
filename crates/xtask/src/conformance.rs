//! The OCI conformance suite against the built binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Everything that the suite can ask for.
const STRICTEST: &[(&str, &str)] = &[
    ("OCI_VERSION", "dev"),
    ("OCI_TLS", "disabled"),
    ("OCI_LOG", "error"),
    ("OCI_API_BLOBS_ATOMIC", "true"),
    ("OCI_API_BLOBS_DELETE", "true"),
    ("OCI_API_BLOBS_DIGEST_HEADER", "true"),
    ("OCI_API_BLOBS_MOUNT_ANONYMOUS", "true"),
    ("OCI_API_BLOBS_UPLOAD_CANCEL", "true"),
    ("OCI_API_MANIFESTS_DIGEST_HEADER", "true"),
    ("OCI_API_MANIFESTS_TAG_PARAM", "true"),
    ("OCI_DATA_SPARSE", "true"),
    ("OCI_DATA_SHA512", "true"),
];

/// What the defaults do not hold: manifests that name what was never pushed, and layers that lie elsewhere, which a
/// configuration file refuses unless it allows their addresses.
const CONFIG: &str = "\
version: 0.1
http:
  addr: 127.0.0.1:0
storage:
  delete:
    enabled: true
  filesystem:
    rootdirectory: ROOT
boxyard:
  manifests:
    sparse: true
validation:
  manifests:
    urls:
      allow: ['^https?://']
";

/// Runs the suite and fails unless every case passes and none is skipped.
pub(crate) fn run(results: &Path) -> Result<()> {
    let folder = tempfile::tempdir().context("make a folder for the registry")?;
    let mut server = serve(folder.path())?;
    let outcome = suite(&server.address, results);
    server.process.kill().context("end the registry")?;
    server.process.wait().context("wait for the registry")?;
    outcome
}

struct Server {
    process: Child,
    address: String,
}

/// Starts the release or debug binary on a free port, which it tells in its log.
fn serve(folder: &Path) -> Result<Server> {
    let config = folder.join("config.yml");
    let root = folder.join("registry");
    std::fs::write(&config, CONFIG.replace("ROOT", &root.display().to_string()))
        .context("write the registry's configuration")?;
    let binary = binary()?;
    let mut process = Command::new(&binary)
        .arg("serve")
        .arg(&config)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("start {}", binary.display()))?;
    let log = process
        .stderr
        .take()
        .context("the registry's log is not piped")?;
    let mut lines = BufReader::new(log).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| address_in(&line))
        .context("the registry ended before it listened")?;
    // The rest of the log must be read, or the registry would wait for its reader.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(Server { process, address })
}

fn address_in(line: &str) -> Option<String> {
    let (_, after) = line.split_once("127.0.0.1:")?;
    let port: String = after.chars().take_while(char::is_ascii_digit).collect();
    line.contains("serving")
        .then(|| format!("127.0.0.1:{port}"))
}

fn binary() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("BOXYARD_BIN") {
        return Ok(named.into());
    }
    let built = ["target/release/boxyard", "target/debug/boxyard"].map(PathBuf::from);
    let newest = built
        .into_iter()
        .filter(|path| path.exists())
        .max_by_key(|path| {
            path.metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
        });
    newest.context("there is no built binary: run `cargo build -p boxyard_cli`")
}

fn tool() -> PathBuf {
    let cache = std::env::var_os("BOXYARD_TOOLS").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/boxyard/tools"),
        PathBuf::from,
    );
    let installed = cache.join("bin/conformance");
    if installed.exists() {
        installed
    } else {
        PathBuf::from("conformance")
    }
}

fn suite(address: &str, results: &Path) -> Result<()> {
    if results.exists() {
        std::fs::remove_dir_all(results).context("remove the last results")?;
    }
    let log = tempfile::tempfile().context("make a file for the suite's output")?;
    Command::new(tool())
        .envs(STRICTEST.iter().copied())
        .env("OCI_REGISTRY", address)
        .env("OCI_RESULTS_DIR", results)
        .stdout(log)
        .status()
        .context("run the conformance suite: `scripts/tools go` installs it")?;
    // The suite answers 0 when its configuration is wrong, so only its report counts.
    let report = std::fs::read_to_string(results.join("junit.xml")).context("read the report")?;
    judge(&report)
}

fn judge(report: &str) -> Result<()> {
    let count = |name: &str| attribute(report, name).unwrap_or(0);
    let (all, failed) = (count("tests"), count("failures") + count("errors"));
    let skipped = count("skipped");
    println!("conformance: {all} cases, {failed} failed, {skipped} skipped");
    for case in report.split("<testcase").skip(1) {
        if !case.contains("status=\"passed\"") {
            println!("  {}", case.lines().next().unwrap_or_default());
        }
    }
    ensure!(all > 1_000, "the suite ran only {all} cases");
    if failed + skipped > 0 {
        bail!("{failed} conformance cases failed and {skipped} were skipped");
    }
    Ok(())
}

/// The first value of a counting attribute, which is the whole suite's.
fn attribute(report: &str, name: &str) -> Option<u64> {
    let (_, after) = report.split_once(&format!(" {name}=\""))?;
    after.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_with_a_skipped_case_is_no_pass() {
        let passed = r#"<testsuites tests="1032" errors="0" failures="0" skipped="0">"#;
        let skipped = r#"<testsuites tests="1032" errors="0" failures="0" skipped="1">"#;

        assert!(judge(passed).is_ok());
        assert!(judge(skipped).is_err());
        assert!(judge("").is_err());
    }
}
