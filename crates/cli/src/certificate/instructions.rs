//! What to paste, on the registry's machine and on every client.

use std::fmt::{self, Formatter};
use std::path::Path;

use super::authority::Authority;
use super::host::Host;
use super::server::Files;
use super::shown;

/// Where the clients' lines put the authority first, to copy it from there.
const COPY: &str = "~/boxyard-ca.crt";

/// Everything that is printed. Comments are those of a shell, so that each part may be pasted with its heading.
pub(super) struct Instructions<'a> {
    pub(super) hosts: &'a [Host],
    pub(super) port: u16,
    pub(super) authority: &'a Authority,
    pub(super) server: &'a Files,
    pub(super) days: i64,
}

impl fmt::Display for Instructions<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.write_files(out)?;
        self.write_config(out)?;
        self.write_copy(out)?;
        self.write_docker(out)?;
        self.write_containerd(out)?;
        self.write_podman(out)?;
        self.write_system(out)
    }
}

impl Instructions<'_> {
    fn write_files(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let authority = if self.authority.is_new {
            "new: let every client trust it once"
        } else {
            "as before: clients that trust it need nothing"
        };
        let [ca, certificate, key] = [
            &self.authority.path,
            &self.server.certificate,
            &self.server.key,
        ]
        .map(|path| shown(path));
        writeln!(out, "# The authority, {authority}:\n#   {ca}")?;
        writeln!(
            out,
            "# The certificate, valid for {} days:\n#   {certificate}",
            self.days
        )?;
        writeln!(
            out,
            "# Its key, which only the registry may read:\n#   {key}\n"
        )
    }

    fn write_config(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let port = self.hosts[0].port().unwrap_or(self.port);
        writeln!(
            out,
            "# In the registry's config.yml:\nhttp:\n  addr: :{port}\n  tls:\n    certificate: {}\n    key: {}\n",
            scalar(&self.server.certificate),
            scalar(&self.server.key),
        )
    }

    fn write_copy(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "# On every client, as root, first:\ncat >{COPY} <<'END'\n{}\nEND\n",
            self.authority.pem.trim_end()
        )
    }

    fn write_docker(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "# For Docker, which needs no restart:")?;
        self.write_folders(out, "/etc/docker/certs.d")
    }

    fn write_podman(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "# For Podman, Buildah, Skopeo and CRI-O:")?;
        self.write_folders(out, "/etc/containers/certs.d")
    }

    /// One folder a host, with the authority in it.
    fn write_folders(&self, out: &mut Formatter<'_>, root: &str) -> fmt::Result {
        for host in self.named() {
            writeln!(
                out,
                "mkdir -p '{root}/{host}'\ncp {COPY} '{root}/{host}/ca.crt'"
            )?;
        }
        self.write_wildcards(out, root)?;
        writeln!(out)
    }

    fn write_containerd(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let root = "/etc/containerd/certs.d";
        writeln!(
            out,
            "# For containerd: nerdctl finds this, `ctr` with --hosts-dir {root},\n\
             # and Kubernetes where config_path in containerd's config.toml names that folder:"
        )?;
        for host in self.named() {
            writeln!(
                out,
                "mkdir -p '{root}/{host}'\n\
                 cp {COPY} '{root}/{host}/ca.crt'\n\
                 cat >'{root}/{host}/hosts.toml' <<'END'\n\
                 server = \"https://{host}\"\n\n\
                 [host.\"https://{host}\"]\n  \
                 capabilities = [\"pull\", \"resolve\", \"push\"]\n  \
                 ca = \"{root}/{host}/ca.crt\"\n\
                 END"
            )?;
        }
        self.write_wildcards(out, root)?;
        writeln!(out)
    }

    fn write_system(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let name = format!("boxyard-{}.crt", self.hosts[0].file_name());
        writeln!(
            out,
            "# For everything else, the system's store; running daemons see it after a restart.\n\
             # Debian, Ubuntu, Alpine:\n\
             cp {COPY} /usr/local/share/ca-certificates/{name}\n\
             update-ca-certificates\n\n\
             # Fedora, RHEL:\n\
             cp {COPY} /etc/pki/ca-trust/source/anchors/{name}\n\
             update-ca-trust\n\n\
             # macOS:\n\
             security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {COPY}"
        )
    }

    /// The hosts that clients have folders for, as those are called.
    fn named(&self) -> impl Iterator<Item = String> {
        let hosts = self.hosts.iter().filter(|host| !host.name.is_wildcard());
        hosts.map(|host| host.authority(self.port))
    }

    fn write_wildcards(&self, out: &mut Formatter<'_>, root: &str) -> fmt::Result {
        for host in self.hosts.iter().filter(|host| host.name.is_wildcard()) {
            let host = host.authority(self.port);
            writeln!(
                out,
                "# The same for each name that {host} stands for: {root} knows no wildcards."
            )?;
        }
        Ok(())
    }
}

/// A path as YAML has it: in quotes where a plain one could mean something else.
fn scalar(path: &Path) -> String {
    let text = shown(path);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if text.chars().all(is_plain) {
        text
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_letters_that_yaml_reads_otherwise_is_in_quotes() {
        assert_eq!(scalar(Path::new("/etc/a-b/c.crt")), "/etc/a-b/c.crt");
        assert_eq!(scalar(Path::new("/a: #b\"/c")), r#""/a: #b\"/c""#);
    }
}
