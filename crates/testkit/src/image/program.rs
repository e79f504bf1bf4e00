//! A program of a few hundred bytes, so that a test can run a container without a compiler and without a base image.

/// Where Linux loads it.
const BASE: u64 = 0x40_0000;
/// The ELF header and one program header.
const HEADERS: usize = 64 + 56;

/// An executable for Linux on `amd64` or `arm64` that prints `message` and ends well.
pub fn hello_program(architecture: &str, message: &str) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("the message is short");
    let (machine, mut code) = match architecture {
        "amd64" => (0x3e, amd64(length)),
        "arm64" => (0xb7, arm64(length)),
        _ => panic!("no program for `{architecture}`"),
    };
    code.extend_from_slice(message.as_bytes());
    let mut file = headers(machine, code.len());
    file.extend_from_slice(&code);
    file
}

/// `write(1, message, length)` and `exit(0)`; the message follows.
fn amd64(length: u16) -> Vec<u8> {
    let mut code = vec![
        0xb8, 1, 0, 0, 0, // mov eax, 1
        0xbf, 1, 0, 0, 0, // mov edi, 1
        0x48, 0x8d, 0x35, 16, 0, 0, 0,    // lea rsi, [rip + 16]
        0xba, // mov edx, length
    ];
    code.extend_from_slice(&u32::from(length).to_le_bytes());
    code.extend_from_slice(&[
        0x0f, 0x05, // syscall
        0xb8, 60, 0, 0, 0, // mov eax, 60
        0x31, 0xff, // xor edi, edi
        0x0f, 0x05, // syscall
    ]);
    code
}

/// The same for the other machine, in its words.
fn arm64(length: u16) -> Vec<u8> {
    let mov = |register: u32, value: u16| 0xd280_0000 | u32::from(value) << 5 | register;
    let call = 0xd400_0001;
    let words = [
        mov(0, 1),
        0x1000_0000 | 7 << 5 | 1, // adr x1, 7 words on
        mov(2, length),
        mov(8, 64),
        call,
        mov(0, 0),
        mov(8, 93),
        call,
    ];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn headers(machine: u16, code: usize) -> Vec<u8> {
    let size = (HEADERS + code) as u64;
    let entry = BASE + HEADERS as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend_from_slice(&2_u16.to_le_bytes()); // an executable
    file.extend_from_slice(&machine.to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    for word in [entry, 64, 0] {
        file.extend_from_slice(&u64::to_le_bytes(word));
    }
    file.extend_from_slice(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&1_u32.to_le_bytes()); // to load
    file.extend_from_slice(&5_u32.to_le_bytes()); // to read and execute
    for word in [0, BASE, BASE, size, size, 0x1_0000] {
        file.extend_from_slice(&u64::to_le_bytes(word));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    const HERE: &str = "amd64";
    #[cfg(target_arch = "aarch64")]
    const HERE: &str = "arm64";

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[test]
    fn it_runs() {
        use std::fs::{self, Permissions};
        use std::os::unix::fs::PermissionsExt;
        use std::process::Command;

        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("hello");
        fs::write(&path, hello_program(HERE, "Hello!\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();

        let output = Command::new(&path).output().unwrap();

        assert_eq!(output.stdout, b"Hello!\n");
        assert!(output.status.success());
    }

    #[test]
    fn the_headers_have_the_size_they_tell() {
        assert_eq!(headers(0, 0).len(), HEADERS);
    }
}
