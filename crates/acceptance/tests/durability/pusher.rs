//! One client with a repository of its own.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;

use boxyard_testkit::http::Response;
use boxyard_testkit::{Blob, Client, Image, Noise, Reply, Upload, Way, sha256};

use super::ledger::{Known, Ledger};

/// Tags that a repository has, few enough to move often.
const TAGS: [&str; 4] = ["latest", "v1", "v2", "edge"];
/// Blobs that all repositories have, mount and delete at the same time.
const SHARED: u64 = 6;

/// What a pusher takes a failure of the server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A mistake: it answers well or not at all.
    Wrong,
    /// Its end: its disk may have gone before it.
    Dead,
}

/// The server is gone, or as good as that.
struct Silence;

/// One client, what it does next, and what it was told.
pub(crate) struct Pusher {
    seed: u64,
    number: u64,
    noise: Noise,
    ledger: Ledger,
    /// Uploads that go on after the server has come back, with the bytes that they have.
    unfinished: Option<(Upload, Vec<u8>)>,
}

/// What it takes to ask and to be told.
struct Line<'a> {
    client: &'a Client,
    judge: Verdict,
    told: &'a Sender<()>,
}

impl Line<'_> {
    /// An answer of one of these statuses, which counts as acknowledged.
    fn hear(&self, reply: Reply, expected: &[u16]) -> Result<Response, Silence> {
        let Some(status) = reply.status() else {
            return Err(Silence);
        };
        if status >= 500 && self.judge == Verdict::Dead {
            return Err(Silence);
        }
        if expected.contains(&status) {
            // Who counts may have stopped counting.
            let _ = self.told.send(());
            return Ok(reply.expect(status));
        }
        Ok(reply.expect(expected[0]))
    }
}

impl Pusher {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self {
            seed,
            number,
            noise: Noise::new(seed ^ (number + 1).wrapping_mul(0x9e37_79b9)),
            ledger: Ledger::default(),
            unfinished: None,
        }
    }

    /// The digests of all that the server has to have.
    pub(crate) fn held(&self) -> impl Iterator<Item = &String> {
        self.ledger.held()
    }

    /// Pushes, mounts, moves and deletes until the server is gone.
    pub(crate) fn work(&mut self, client: &Client, judge: Verdict, told: &Sender<()>) {
        let line = Line {
            client,
            judge,
            told,
        };
        while self.step(&line).is_ok() {}
        // A disk need not keep an upload before it is finished.
        if judge == Verdict::Dead {
            self.unfinished = None;
        }
    }

    fn step(&mut self, line: &Line<'_>) -> Result<(), Silence> {
        match self.noise.below(100) {
            0..40 => self.push_image(line),
            40..55 => self.push_shared(line),
            55..65 => self.mount_shared(line),
            65..73 => self.delete_tag(line),
            73..81 => self.delete_manifest(line),
            81..93 => self.delete_blob(line),
            _ => self.append(line),
        }
    }

    fn repo(&self) -> String {
        format!("crowd/of-{}/pusher-{}", self.seed, self.number)
    }

    /// A blob that others push as well.
    fn shared(&mut self) -> Blob {
        let seed = self.seed ^ self.noise.below(SHARED);
        Blob::new("application/octet-stream", Noise::new(seed).draw(30_000))
    }

    fn way(&mut self) -> Way {
        let chunk = 1 + self.noise.below(20_000);
        let chunk = usize::try_from(chunk).expect("it is small");
        let ways = [Way::Post, Way::PostPut, Way::Chunks(chunk), Way::Streamed];
        self.one_of(&ways)
    }

    fn one_of<T: Clone>(&mut self, things: &[T]) -> T {
        let which = self.noise.below(things.len() as u64);
        things[usize::try_from(which).expect("it is an index")].clone()
    }

    fn sizes(&mut self) -> Vec<usize> {
        let size = |noise: &mut Noise| {
            let most = if noise.below(10) == 0 {
                500_000
            } else {
                20_000
            };
            usize::try_from(noise.below(most)).expect("it is small")
        };
        (0..=self.noise.below(3))
            .map(|_| size(&mut self.noise))
            .collect()
    }

    fn push_image(&mut self, line: &Line<'_>) -> Result<(), Silence> {
        let sizes = self.sizes();
        let image = Image::with_layers(self.noise.word(), &sizes);
        for blob in image.blobs() {
            self.push_blob(line, blob)?;
        }
        let tag = self.one_of(&TAGS);
        let digest = &image.manifest.digest;
        let blobs = || image.blobs().map(|blob| blob.digest.clone()).collect();
        let reply = line.client.put_manifest(&self.repo(), tag, &image.manifest);
        if let Err(silence) = line.hear(reply, &[201]) {
            self.ledger.maybe_pushed(digest, blobs(), tag);
            return Err(silence);
        }
        self.ledger.pushed(digest, blobs(), tag);
        Ok(())
    }

    fn push_blob(&mut self, line: &Line<'_>, blob: &Blob) -> Result<(), Silence> {
        let (repo, way) = (self.repo(), self.way());
        let reply = line.client.push_blob_by(way, &repo, blob);
        let heard = line.hear(reply, &[201]).map(drop);
        self.note_blob(&blob.digest, Known::Held, heard)
    }

    /// Notes what was asked for, or that nobody knows whether it came about.
    fn note_blob(
        &mut self,
        digest: &str,
        wanted: Known,
        heard: Result<(), Silence>,
    ) -> Result<(), Silence> {
        let known = self.ledger.blobs.get(digest);
        if heard.is_ok() {
            self.ledger.blobs.insert(digest.to_owned(), wanted);
        } else if known != Some(&wanted) {
            self.ledger.blobs.insert(digest.to_owned(), Known::Open);
        }
        heard
    }

    fn push_shared(&mut self, line: &Line<'_>) -> Result<(), Silence> {
        let blob = self.shared();
        self.push_blob(line, &blob)
    }

    /// Mounts what another may have, from there or from anywhere; it may well be gone there.
    fn mount_shared(&mut self, line: &Line<'_>) -> Result<(), Silence> {
        let digest = self.shared().digest;
        let other = Self::new(self.seed, self.noise.below(super::PUSHERS)).repo();
        let from = [None, Some(other.as_str())];
        let from = self.one_of(&from);
        let reply = line.client.mount(&self.repo(), &digest, from);
        match line.hear(reply, &[201, 202]) {
            Ok(answer) if answer.status == 201 => self.note_blob(&digest, Known::Held, Ok(())),
            Ok(answer) => {
                let reply = line.client.cancel(&Upload::at(&answer));
                line.hear(reply, &[204]).map(drop)
            }
            Err(silence) => self.note_blob(&digest, Known::Held, Err(silence)),
        }
    }

    fn delete_tag(&mut self, line: &Line<'_>) -> Result<(), Silence> {
        let tag = self.one_of(&TAGS);
        let absent = || BTreeSet::from([None]);
        let targets = self.ledger.tags.get(tag).cloned().unwrap_or_else(absent);
        let expected = expected(targets.iter().map(Option::is_some));
        let reply = line.client.delete_tag(&self.repo(), tag);
        let heard = line.hear(reply, &expected).map(drop);
        let mut left = absent();
        if heard.is_err() {
            left.extend(targets);
        }
        self.ledger.tags.insert(tag.to_owned(), left);
        heard
    }

    fn delete_manifest(&mut self, line: &Line<'_>) -> Result<(), Silence> {
        let digests: Vec<String> = self.ledger.manifests.keys().cloned().collect();
        if digests.is_empty() {
            return Ok(());
        }
        let digest = self.one_of(&digests);
        let expected = statuses(self.ledger.manifests[&digest].state);
        let reply = line.client.delete_manifest(&self.repo(), &digest);
        let heard = line.hear(reply, expected).map(drop);
        let state = match heard {
            Ok(()) => Known::Gone,
            Err(Silence) => match self.ledger.manifests[&digest].state {
                Known::Gone => Known::Gone,
                Known::Held | Known::Open => Known::Open,
            },
        };
        self.ledger.deleted(&digest, state);
        heard
    }

    fn delete_blob(&mut self, line: &Line<'_>) -> Result<(), Silence> {
        let digests: Vec<String> = self.ledger.blobs.keys().cloned().collect();
        if digests.is_empty() {
            return Ok(());
        }
        let digest = self.one_of(&digests);
        let mut expected = statuses(self.ledger.blobs[&digest]).to_vec();
        if self.ledger.is_named(&digest) {
            expected.push(405);
        }
        let reply = line.client.delete_blob(&self.repo(), &digest);
        match line.hear(reply, &expected) {
            Ok(answer) if answer.status == 405 => Ok(()),
            heard => self.note_blob(&digest, Known::Gone, heard.map(drop)),
        }
    }

    /// Begins an upload, goes on with it, or ends it.
    fn append(&mut self, line: &Line<'_>) -> Result<(), Silence> {
        let Some((upload, bytes)) = self.unfinished.take() else {
            let reply = line.client.begin_upload(&self.repo());
            let upload = Upload::at(&line.hear(reply, &[202])?);
            self.unfinished = Some((upload, Vec::new()));
            return Ok(());
        };
        let more = self.noise.draw(10_000);
        if bytes.len() < 20_000 {
            let reply = line.client.patch(&upload, Some(bytes.len()), &more);
            // After silence, nobody knows how far the upload has come.
            let upload = Upload::at(&line.hear(reply, &[202])?);
            self.unfinished = Some((upload, [bytes, more].concat()));
            return Ok(());
        }
        let digest = sha256([bytes, more.clone()].concat());
        let reply = line.client.finish(&upload, &digest, &more);
        let heard = line.hear(reply, &[201]).map(drop);
        self.note_blob(&digest, Known::Held, heard)
    }

    /// Asks for everything that was ever acknowledged, and settles what was open.
    pub(crate) fn verify(&mut self, client: &Client) {
        let repo = self.repo();
        for (digest, state) in &mut self.ledger.blobs {
            let there = is_there(client.get_blob(&repo, digest), digest, *state, &repo);
            *state = there;
        }
        for (digest, named) in &mut self.ledger.manifests {
            let reply = client.get_manifest(&repo, digest);
            named.state = is_there(reply, digest, named.state, &repo);
        }
        let mut listed = BTreeSet::new();
        for (tag, targets) in &mut self.ledger.tags {
            let target = target(client.get_manifest(&repo, tag));
            assert!(
                targets.contains(&target),
                "`{repo}:{tag}` names {target:?}, and was left at {targets:?}"
            );
            listed.extend(target.is_some().then(|| tag.clone()));
            *targets = BTreeSet::from([target]);
        }
        assert_eq!(BTreeSet::from_iter(client.tags(&repo)), listed, "`{repo}`");
    }
}

/// The statuses that deleting something may be answered by.
fn statuses(state: Known) -> &'static [u16] {
    match state {
        Known::Held => &[202],
        Known::Gone => &[404],
        Known::Open => &[202, 404],
    }
}

fn expected(there: impl Iterator<Item = bool>) -> Vec<u16> {
    there.map(|there| if there { 202 } else { 404 }).collect()
}

/// Whether something is there with the right bytes, which must not contradict what is known.
fn is_there(reply: Reply, digest: &str, known: Known, repo: &str) -> Known {
    let found = if reply.status() == Some(404) {
        Known::Gone
    } else {
        assert_eq!(sha256(&reply.expect(200).body), digest, "in `{repo}`");
        Known::Held
    };
    let fits = known == Known::Open || found == known;
    assert!(
        fits,
        "`{digest}` of `{repo}` is {found:?}, and was {known:?}"
    );
    found
}

/// The digest of what a tag leads to.
fn target(reply: Reply) -> Option<String> {
    match reply.status() {
        Some(404) => None,
        _ => Some(sha256(&reply.expect(200).body)),
    }
}
