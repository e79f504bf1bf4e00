//! Variables that Kubernetes and Docker's old links make for a service that is called `registry`.

/// Whether nobody wrote this variable for us: `REGISTRY_PORT=tcp://10.0.0.1:5000`, `REGISTRY_SERVICE_HOST`.
///
/// A person's `REGISTRY_HTTP_PORT=5000` is not among them, because a port has a protocol there.
pub(super) fn makes(name: &str, value: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") {
        return true;
    }
    let Some((_, rest)) = name
        .rsplit_once("_PORT")
        .filter(|_| !name.ends_with("_PORT_"))
    else {
        return false;
    };
    has_protocol(value) || is_part_of_port(name, rest)
}

fn has_protocol(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|protocol| value.starts_with(protocol))
}

/// `…_PORT_5000_TCP_ADDR`, and `…_PORT_5000_TCP_PORT`, which ends like a port.
fn is_part_of_port(name: &str, rest: &str) -> bool {
    let rest = match name.strip_suffix("_PORT") {
        Some(before) if rest.is_empty() => before.rsplit_once("_PORT").map_or("", |(_, rest)| rest),
        _ => rest,
    };
    let mut parts = rest.trim_start_matches('_').split('_');
    let number = parts.next().unwrap_or_default();
    let protocol = parts.next().unwrap_or_default();
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(protocol, "TCP" | "UDP" | "SCTP")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_makes_is_known_by_its_form() {
        let table = [
            ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
            ("REGISTRY_SERVICE_HOST", "10.0.0.1"),
            ("REGISTRY_SERVICE_PORT", "5000"),
            ("REGISTRY_SERVICE_PORT_HTTP", "5000"),
            ("REGISTRY_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
            ("REGISTRY_PORT_5000_TCP_PROTO", "tcp"),
            ("REGISTRY_PORT_5000_TCP_PORT", "5000"),
            ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1"),
            ("REGISTRY_UI_PORT", "tcp://10.0.0.2:80"),
            ("REGISTRY_UI_PORT_80_UDP_ADDR", "10.0.0.2"),
        ];

        for (name, value) in table {
            assert!(makes(name, value), "{name}");
        }
    }

    #[test]
    fn what_a_person_meant_is_not_hidden() {
        for (name, value) in [
            ("REGISTRY_HTTP_PORT", "5000"),
            ("REGISTRY_HTTP_ADR", ":5000"),
            ("REGISTRY_PORT", "5000"),
            ("REGISTRY_PORT_5000", "yes"),
        ] {
            assert!(!makes(name, value), "{name}");
        }
    }
}
