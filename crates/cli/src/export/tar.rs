//! A tar file, the same for the same content: without times, owners and rights of this machine.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use tar::{EntryType, Header};
use tokio::sync::{mpsc, oneshot};

const BLOCK: usize = 512;
/// How many pieces wait to be written.
const WAITING: usize = 16;

/// A tar file that is being written, by a thread: a reader that does not read must not keep us from being interrupted.
#[derive(Debug)]
pub(super) struct Tar {
    sender: Option<mpsc::Sender<Bytes>>,
    /// What the thread says at its end.
    ended: Option<oneshot::Receiver<io::Result<()>>>,
    place: Place,
    /// How many bytes the current file has so far.
    written: u64,
}

/// Where the file is.
#[derive(Debug)]
enum Place {
    /// It takes this name when it is whole.
    File { unfinished: PathBuf, path: PathBuf },
    /// Somebody reads it already.
    Stream,
}

impl Tar {
    /// Begins a file, or writes to standard output where the path is `-`.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let name = || format!("write `{}`", path.display());
        if path == Path::new("-") {
            // Not through the standard library's buffer: its lock would be waited for at the end, also after an interrupt.
            let owned = io::stdout().as_fd().try_clone_to_owned();
            let file = File::from(owned.context("open standard output")?);
            return Ok(Self::to(file, Place::Stream));
        }
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            // A pipe or a device.
            let file = File::options().write(true).open(path).with_context(name)?;
            return Ok(Self::to(file, Place::Stream));
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let file = File::create(&unfinished).with_context(name)?;
        let place = Place::File {
            unfinished,
            path: path.to_owned(),
        };
        Ok(Self::to(file, place))
    }

    fn to(mut writer: File, place: Place) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(WAITING);
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let mut write = || {
                while let Some(piece) = receiver.blocking_recv() {
                    writer.write_all(&piece)?;
                }
                writer.flush()
            };
            let written = write();
            // Whoever was interrupted does not wait for it.
            let _ = end.send(written);
        });
        Self {
            sender: Some(sender),
            ended: Some(ended),
            place,
            written: 0,
        }
    }

    pub(super) async fn file(&mut self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        self.begin(path, content.len() as u64).await?;
        self.piece(Bytes::copy_from_slice(content)).await?;
        self.end().await
    }

    pub(super) async fn begin(&mut self, path: &str, size: u64) -> anyhow::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        // The longest is that of a blob by SHA-512, which is longer than a header has room for.
        if header.set_path(path).is_err() {
            self.long_name(path).await?;
            let short: String = path.chars().take(99).collect();
            header
                .set_path(short)
                .context("name a file of the archive")?;
        }
        header.set_cksum();
        self.send(Bytes::copy_from_slice(header.as_bytes())).await?;
        self.written = 0;
        Ok(())
    }

    async fn long_name(&mut self, path: &str) -> anyhow::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header
            .set_path("././@LongLink")
            .context("name a file of the archive")?;
        header.set_mode(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(path.len() as u64 + 1);
        header.set_cksum();
        self.send(Bytes::copy_from_slice(header.as_bytes())).await?;
        let mut name = path.as_bytes().to_vec();
        name.resize((name.len() + 1).next_multiple_of(BLOCK), 0);
        self.send(Bytes::from(name)).await
    }

    pub(super) async fn piece(&mut self, piece: Bytes) -> anyhow::Result<()> {
        self.written += piece.len() as u64;
        self.send(piece).await
    }

    pub(super) async fn end(&mut self) -> anyhow::Result<()> {
        let over = usize::try_from(self.written % BLOCK as u64)?;
        if over == 0 {
            return Ok(());
        }
        self.send(Bytes::from_static(&[0; BLOCK]).slice(over..))
            .await
    }

    pub(super) async fn finish(mut self) -> anyhow::Result<()> {
        self.send(Bytes::from_static(&[0; 2 * BLOCK])).await?;
        self.join().await?;
        if let Place::File { unfinished, path } = &self.place {
            let place = || format!("write `{}`", path.display());
            let file = File::open(unfinished).with_context(place)?;
            file.sync_all().with_context(place)?;
            fs::rename(unfinished, path).with_context(place)?;
        }
        Ok(())
    }

    async fn send(&mut self, piece: Bytes) -> anyhow::Result<()> {
        let sender = self.sender.as_ref().context("the archive has ended")?;
        if sender.send(piece).await.is_ok() {
            return Ok(());
        }
        self.join().await?;
        Err(anyhow!("write the archive: the writer has ended"))
    }

    /// Waits until everything is written; what went wrong is said once.
    async fn join(&mut self) -> anyhow::Result<()> {
        self.sender = None;
        let Some(ended) = self.ended.take() else {
            return Ok(());
        };
        let written = ended.await.context("the writer has failed")?;
        written.context("write the archive")
    }
}

impl Drop for Tar {
    fn drop(&mut self) {
        if let Place::File { unfinished, .. } = &self.place {
            // It is there only where the export has failed.
            let _ = fs::remove_file(unfinished);
        }
    }
}
